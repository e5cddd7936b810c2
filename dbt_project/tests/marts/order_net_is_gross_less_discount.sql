select
    order_id,
    gross_revenue_minor,
    discount_minor,
    net_before_refunds_minor
from {{ ref('fct_orders') }}
where net_before_refunds_minor != gross_revenue_minor - discount_minor
