-- To the minor unit: an order's discount among its lines, a refund among its products.
select
    'discount' as amount,
    orders.order_id as id,
    orders.discount_minor as whole,
    lines.discount_minor as parts
from {{ ref('fct_orders') }} as orders
left join (
    select
        order_id,
        sum(discount_minor) as discount_minor
    from {{ ref('fct_order_lines') }}
    group by order_id
) as lines on orders.order_id = lines.order_id
where orders.discount_minor is distinct from lines.discount_minor

union all

select
    'refund' as amount,
    refunds.refund_id as id,
    refunds.refund_minor as whole,
    lines.refund_minor as parts
from {{ ref('fct_refunds') }} as refunds
left join (
    select
        refund_id,
        sum(refund_minor) as refund_minor
    from {{ ref('fct_refund_lines') }}
    group by refund_id
) as lines on refunds.refund_id = lines.refund_id
where refunds.refund_minor is distinct from lines.refund_minor
