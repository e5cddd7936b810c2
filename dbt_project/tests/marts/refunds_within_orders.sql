-- Warn: more given back than was paid for is a matter for the shop, not an error of ours.
{{ config(severity='warn') }}
with

refunded as (

    select
        order_id,
        currency,
        sum(refund_minor) as refund_minor

    from {{ ref('fct_refunds') }}
    where order_known
    group by order_id, currency

)

select
    orders.order_id,
    orders.currency,
    refunded.currency as refund_currency,
    orders.net_before_refunds_minor,
    refunded.refund_minor
from refunded
inner join {{ ref('fct_orders') }} as orders on refunded.order_id = orders.order_id
where orders.currency != refunded.currency or refunded.refund_minor > orders.net_before_refunds_minor
