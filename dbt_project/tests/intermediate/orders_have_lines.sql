-- The event contract requires a line, so an order without one lost it here.
select
    order_id,
    lines
from {{ ref('int_orders') }}
where lines = 0
