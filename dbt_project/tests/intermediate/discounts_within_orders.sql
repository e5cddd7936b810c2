-- Warn: a shop may send it, and then its net revenue is below zero; we show what it sent.
{{ config(severity='warn') }}
select
    order_id,
    gross_revenue_minor,
    discount_minor
from {{ ref('int_orders') }}
where discount_minor > gross_revenue_minor
