with

totals as (

    select
        coalesce(sum(new_customers), 0) as new_customers,
        (select count(distinct user_id) from {{ ref('fct_orders') }}) as customers

    from {{ ref('rpt_monthly_churn') }}

)

select
    month,
    active_customers,
    new_customers,
    churned_customers
from {{ ref('rpt_monthly_churn') }}
where churned_customers > active_customers or new_customers > active_customers or churn_rate not between 0 and 1

union all

-- Everybody is new in one month.
select
    null as month,
    customers as active_customers,
    new_customers,
    0 as churned_customers
from totals
where customers != new_customers
