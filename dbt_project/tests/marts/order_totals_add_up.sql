-- Warn: the shop's total is taken as it says; where it isn't net + shipping + tax, its own books are in question.
{{ config(severity='warn') }}
select
    order_id,
    net_before_refunds_minor,
    shipping_minor,
    tax_minor,
    total_minor
from {{ ref('fct_orders') }}
where total_minor != net_before_refunds_minor + shipping_minor + tax_minor
