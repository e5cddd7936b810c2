{{ config(
    emits={'order_id': 'order_id', 'batch_id': 'batch_id'},
    indexes=[{'columns': ['order_id']}, {'columns': ['batch_id']}],
) }}

with

events as (

    select * from {{ ref('base_events') }}

),

-- Materialized: inlined, an order's whole JSON would be unpacked again for each of its lines.
orders as materialized (

    select
        message_id,
        occurred_at,
        batch_id,
        properties,
        {{ json_text('properties', 'order_id') }} as order_id,
        -- The order's currency rules: a line in another would make the order's sums meaningless.
        {{ currency_code(json_text('properties', 'currency')) }} as currency

    from events
    where event_type = 'track' and event_name = 'Order Completed'
        {{ and_new_batches() }}

),

lines as (

    select
        orders.message_id,
        orders.occurred_at,
        orders.batch_id,
        orders.order_id,
        orders.currency,
        products.item as product,
        products.item_number as line_number,
        {{ json_numeric('products.item', 'price') }} as price,
        coalesce(cast({{ json_numeric('products.item', 'quantity') }} as bigint), 1) as quantity

    from orders
    {{ json_items('orders.properties', 'products', 'products') }}

),

final as (

    select
        message_id,
        order_id,
        line_number,
        occurred_at,
        {{ json_text('product', 'product_id') }} as product_id,
        {{ json_text('product', 'sku') }} as sku,
        {{ json_text('product', 'name') }} as product_name,
        {{ json_text('product', 'brand') }} as brand,
        {{ json_text('product', 'category') }} as category,
        {{ json_text('product', 'variant') }} as variant,
        currency,
        quantity,
        {{ minor_units('price', 'currency') }} as unit_price_minor,
        -- Rounded once, after the product: prices below a minor unit are real in wholesale.
        {{ minor_units('price * quantity', 'currency') }} as gross_minor,
        batch_id

    from lines

)

select * from final
