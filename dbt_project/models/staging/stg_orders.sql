{{ config(
    emits={'order_id': 'order_id', 'batch_id': 'batch_id'},
    indexes=[{'columns': ['order_id']}, {'columns': ['batch_id']}],
) }}

with

events as (

    select * from {{ ref('base_events') }}

),

completed as (

    select
        *,
        {{ currency_code(json_text('properties', 'currency')) }} as currency

    from events
    where event_type = 'track' and event_name = 'Order Completed'
        {{ and_new_batches() }}

),

final as (

    select
        message_id,
        {{ json_text('properties', 'order_id') }} as order_id,
        {{ json_text('properties', 'checkout_id') }} as checkout_id,
        user_id,
        anonymous_id,
        occurred_at,
        currency,
        coalesce({{ minor_units(json_numeric('properties', 'discount'), 'currency') }}, 0) as discount_minor,
        coalesce({{ minor_units(json_numeric('properties', 'shipping'), 'currency') }}, 0) as shipping_minor,
        coalesce({{ minor_units(json_numeric('properties', 'tax'), 'currency') }}, 0) as tax_minor,
        {{ minor_units(json_numeric('properties', 'total'), 'currency') }} as stated_total_minor,
        {{ json_text('properties', 'coupon') }} as coupon,
        {{ json_text('properties', 'affiliation') }} as affiliation,
        {{ json_text('properties', 'fulfilment_centre') }} as fulfilment_centre,
        country,
        city,
        {{ channel('utm_source', 'utm_medium', 'referrer') }} as channel,
        batch_id,
        loaded_at

    from completed

)

select * from final
