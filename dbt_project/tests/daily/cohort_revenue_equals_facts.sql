with

facts as (

    select
        currency,
        sum(net_revenue_minor) as net_minor

    from {{ ref('fct_customer_days') }}
    where user_id in (select user_id from {{ ref('fct_orders') }} where user_id is not null)
    group by currency

),

cohorts as (

    select
        currency,
        sum({{ minor_units('net_revenue', 'currency') }}) as net_minor

    from {{ ref('rpt_cohort_revenue') }}
    group by currency

),

last_months as (

    select
        currency,
        sum({{ minor_units('cumulative_net_revenue', 'currency') }}) as net_minor

    from (
        select
            *,
            row_number() over (partition by cohort_month, currency order by months_since desc) as place
        from {{ ref('rpt_cohort_revenue') }}
    ) as ranked
    where place = 1
    group by currency

)

select
    currency,
    facts.net_minor,
    cohorts.net_minor as cohort_minor,
    last_months.net_minor as cumulative_minor
from facts
full join cohorts using (currency)
full join last_months using (currency)
where facts.net_minor is distinct from cohorts.net_minor or facts.net_minor is distinct from last_months.net_minor
