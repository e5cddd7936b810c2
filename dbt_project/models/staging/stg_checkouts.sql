{{ config(
    emits={'order_id': 'order_id'},
    indexes=[{'columns': ['batch_id']}, {'columns': ['order_id']}],
) }}

with

events as (

    select * from {{ ref('base_events') }}

),

started as (

    select
        *,
        {{ currency_code(json_text('properties', 'currency')) }} as currency

    from events
    where event_type = 'track' and event_name = 'Checkout Started'
        {{ and_new_batches() }}

),

final as (

    select
        message_id,
        {{ json_text('properties', 'order_id') }} as order_id,
        user_id,
        anonymous_id,
        occurred_at,
        currency,
        {{ minor_units(json_numeric('properties', 'value'), 'currency') }} as value_minor,
        {{ json_text('properties', 'coupon') }} as coupon,
        batch_id

    from started

)

select * from final
