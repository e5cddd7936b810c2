-- name: cohort_figures
-- Each cohort's figures in each month, as the facts and as the reports have them now; a currency is '' where a figure
-- has none. The facts' are counted here, by none of the models' own code.
with orders as (
    select
        user_id, currency, gross_revenue_minor, to_char(ordered_on, 'YYYY-MM') as month,
        min(to_char(ordered_on, 'YYYY-MM')) over (partition by user_id) as cohort
    from marts.fct_orders
    where user_id is not null
)
select 'marts.fct_orders', 'customers', cohort, month, '', count(distinct user_id)::bigint
from orders group by cohort, month
union all
select 'marts.fct_orders', 'orders', cohort, month, '', count(*) from orders group by cohort, month
union all
select 'marts.fct_orders', 'gross_revenue', cohort, month, currency, sum(gross_revenue_minor)::bigint
from orders group by cohort, month, currency
union all
select
    'reports.rpt_cohort_retention', kpi, to_char(cohort_month, 'YYYY-MM'), to_char(month, 'YYYY-MM'), '',
    case kpi when 'customers' then active_customers else orders end
from reports.rpt_cohort_retention, (values ('customers'), ('orders')) as kpis (kpi)
union all
select
    'reports.rpt_cohort_revenue', 'gross_revenue', to_char(cohort_month, 'YYYY-MM'), to_char(month, 'YYYY-MM'),
    currency, gross_revenue * ops.minor_per_major(currency)
from reports.rpt_cohort_revenue;
