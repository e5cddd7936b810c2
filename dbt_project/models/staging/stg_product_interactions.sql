{{ config(
    emits={'batch_id': 'batch_id'},
    indexes=[{'columns': ['batch_id']}],
) }}

with

events as (

    select * from {{ ref('base_events') }}

),

final as (

    select
        message_id,
        event_name as interaction,
        user_id,
        anonymous_id,
        occurred_at,
        {{ json_text('properties', 'product_id') }} as product_id,
        {{ json_text('properties', 'sku') }} as sku,
        {{ json_text('properties', 'name') }} as product_name,
        {{ json_text('properties', 'brand') }} as brand,
        {{ json_text('properties', 'category') }} as category,
        {{ json_text('properties', 'variant') }} as variant,
        upper({{ json_text('properties', 'currency') }}) as stated_currency,
        -- Major units still: shops seldom name a currency here, and then the product's sales have to.
        {{ json_numeric('properties', 'price') }} as price,
        coalesce(cast({{ json_numeric('properties', 'quantity') }} as bigint), 1) as quantity,
        {{ json_text('properties', 'cart_id') }} as cart_id,
        batch_id

    from events
    where event_type = 'track'
        and event_name in ('Product Clicked', 'Product Viewed', 'Product Added', 'Product Removed')
        {{ and_new_batches() }}

)

select * from final
