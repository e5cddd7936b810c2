{{ config(
    emits={'order_id': 'order_id'},
    indexes=[{'columns': ['order_id']}],
) }}

with

events as (

    select * from {{ ref('base_events') }}

),

final as (

    select
        events.message_id,
        {{ json_text('events.properties', 'order_id') }} as order_id,
        products.item_number as line_number,
        {{ json_text('products.item', 'product_id') }} as product_id,
        {{ json_text('products.item', 'category') }} as category,
        {{ json_numeric('products.item', 'price') }} as price,
        coalesce(cast({{ json_numeric('products.item', 'quantity') }} as bigint), 1) as quantity,
        events.batch_id

    from events
    {{ json_items('events.properties', 'products', 'products') }}
    where events.event_type = 'track' and events.event_name = 'Order Refunded'
        {{ and_new_batches() }}

)

select * from final
