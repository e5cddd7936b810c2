-- Its size is the same in all its months; in its own everybody bought, in none more than everybody.
select
    cohort_month,
    months_since,
    customers,
    active_customers,
    first_customers
from (
    select
        *,
        first_value(customers) over (partition by cohort_month order by months_since) as first_customers
    from {{ ref('rpt_cohort_retention') }}
) as compared
where customers != first_customers
    or active_customers > customers
    or (months_since = 0 and active_customers != customers)
    or retention_rate not between 0 and 1
    or (active_customers = 0) != (orders = 0)
    or orders < active_customers
