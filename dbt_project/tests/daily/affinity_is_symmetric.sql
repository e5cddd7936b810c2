-- Support and lift of a pair are the same both ways; nothing is a share of more than all.
select
    one.product_id,
    one.other_product_id,
    one.orders_together,
    other.orders_together as other_way
from {{ ref('rpt_basket_affinity') }} as one
left join {{ ref('rpt_basket_affinity') }} as other
    on one.product_id = other.other_product_id and one.other_product_id = other.product_id
where other.product_id is null
    or one.product_id = one.other_product_id
    or one.orders_together != other.orders_together
    or one.support != other.support
    or one.lift != other.lift
    or one.confidence not between one.support and 1
