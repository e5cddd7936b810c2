select
    orders.order_id as fact_order_id,
    payments.order_id as paid_order_id,
    payments.payments
from {{ ref('fct_orders') }} as orders
full join (
    select
        order_id,
        count(*) as payments
    from {{ ref('fct_payments') }}
    where outcome = 'paid'
    group by order_id
) as payments on orders.order_id = payments.order_id
where orders.order_id is null or payments.payments is distinct from 1
