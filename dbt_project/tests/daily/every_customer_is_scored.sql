-- By RFM and by lifetime value, with the same orders and the same money.
with

facts as (

    select
        user_id,
        currency,
        count(*) as orders

    from {{ ref('fct_orders') }}
    where user_id is not null
    group by user_id, currency

),

segments as (

    select coalesce(sum(customers), 0) as customers
    from {{ ref('rpt_rfm_segments') }}

)

select
    facts.user_id,
    facts.currency,
    facts.orders,
    rfm.frequency,
    lifetime.orders as lifetime_orders
from facts
full join {{ ref('rpt_rfm') }} as rfm using (user_id, currency)
full join {{ ref('rpt_customer_lifetime_value') }} as lifetime using (user_id, currency)
where facts.orders is distinct from rfm.frequency
    or facts.orders is distinct from lifetime.orders
    or rfm.monetary is distinct from lifetime.historic_value
    or rfm.recency_days < 0
    or lifetime.predicted_orders_12m < 0
    or lifetime.predicted_value_12m < 0

union all

select
    'all in segments' as user_id,
    null as currency,
    (select count(*) from {{ ref('rpt_rfm') }}) as orders,
    customers as frequency,
    null as lifetime_orders
from segments
where customers != (select count(*) from {{ ref('rpt_rfm') }})
