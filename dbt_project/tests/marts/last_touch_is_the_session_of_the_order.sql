-- A person's sessions may lie in each other, on two devices: then the one that began last counts.
select
    orders.order_id,
    orders.session_id,
    touches.session_id as last_session_id
from {{ ref('fct_orders') }} as orders
inner join {{ ref('fct_order_touches') }} as touches
    on orders.order_id = touches.order_id and touches.is_last_touch
inner join {{ ref('fct_sessions') }} as own_session on orders.session_id = own_session.session_id
where touches.session_id is null or touches.started_at < own_session.started_at
