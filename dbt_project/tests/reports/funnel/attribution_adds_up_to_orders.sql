-- Whichever way an order is credited, it is credited once.
with

facts as (

    select
        ordered_on as day,
        currency,
        count(*) as orders,
        sum(net_before_refunds_minor) as revenue_minor

    from {{ ref('fct_orders') }}
    group by ordered_on, currency

),

credited as (

    select
        day,
        currency,
        sum(first_touch_orders) as first_touch_orders,
        sum(last_touch_orders) as last_touch_orders,
        sum(linear_orders) as linear_orders,
        sum({{ minor_units('first_touch_revenue', 'currency') }}) as first_touch_minor,
        sum({{ minor_units('last_touch_revenue', 'currency') }}) as last_touch_minor,
        sum({{ minor_units('linear_revenue', 'currency') }}) as linear_minor

    from {{ ref('rpt_daily_attribution') }}
    group by day, currency

)

select
    day,
    currency,
    facts.orders,
    facts.revenue_minor,
    credited.first_touch_orders,
    credited.last_touch_orders,
    credited.linear_orders,
    credited.first_touch_minor,
    credited.last_touch_minor,
    credited.linear_minor
from facts
full join credited using (day, currency)
where facts.orders is distinct from credited.first_touch_orders
    or facts.orders is distinct from credited.last_touch_orders
    or facts.orders is distinct from credited.linear_orders
    or facts.revenue_minor is distinct from credited.first_touch_minor
    or facts.revenue_minor is distinct from credited.last_touch_minor
    or facts.revenue_minor is distinct from credited.linear_minor
