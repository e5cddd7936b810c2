-- Every order is there once for its first touch and once for its last; its parts add up to it.
with

touches as (

    select
        order_id,
        currency,
        revenue_minor,
        count(*) as touches,
        max(touches) as stated_touches,
        sum(case when is_first_touch then 1 else 0 end) as first_touches,
        sum(case when is_last_touch then 1 else 0 end) as last_touches,
        sum(linear_orders) as linear_orders,
        sum(linear_revenue_minor) as linear_revenue_minor

    from {{ ref('fct_order_touches') }}
    group by order_id, currency, revenue_minor

)

select
    orders.order_id,
    touches.order_id as touched_order_id,
    orders.net_before_refunds_minor,
    touches.revenue_minor,
    touches.linear_orders,
    touches.linear_revenue_minor
from {{ ref('fct_orders') }} as orders
full join touches on orders.order_id = touches.order_id and orders.currency = touches.currency
where orders.order_id is null
    or touches.order_id is null
    or touches.touches != touches.stated_touches
    or touches.first_touches != 1
    or touches.last_touches != 1
    or touches.linear_orders != 1
    or touches.linear_revenue_minor != orders.net_before_refunds_minor
    or touches.revenue_minor != orders.net_before_refunds_minor
