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
        message_id,
        {{ json_text('properties', 'order_id') }} as order_id,
        user_id,
        occurred_at,
        upper({{ json_text('properties', 'currency') }}) as stated_currency,
        -- Major units still: where the refund doesn't name its currency, only its order knows how many minor ones.
        {{ json_numeric('properties', 'subtotal') }} as subtotal,
        {{ json_numeric('properties', 'revenue') }} as revenue,
        {{ json_numeric('properties', 'total') }} as total,
        {{ json_numeric('properties', 'shipping') }} as shipping,
        {{ json_numeric('properties', 'tax') }} as tax,
        country,
        batch_id,
        loaded_at

    from events
    where event_type = 'track' and event_name = 'Order Refunded'
        {{ and_new_batches() }}

)

select * from final
