-- Every order that an event below the watermark completes is a fact, and no other.
with

completed as (

    select distinct order_id
    from {{ ref('stg_orders') }}

)

select
    completed.order_id as completed_order_id,
    orders.order_id as fact_order_id
from completed
full join {{ ref('fct_orders') }} as orders on completed.order_id = orders.order_id
where completed.order_id is null or orders.order_id is null
