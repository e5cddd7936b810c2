{{ config(
    emits={'payment_key': 'payment_key'},
    indexes=[{'columns': ['payment_key']}],
) }}

with

events as (

    select * from {{ ref('base_events') }}

),

final as (

    select
        message_id,
        event_name,
        -- What the attempts of one purchase have in common.
        coalesce(
            {{ json_text('properties', 'order_id') }}, {{ json_text('properties', 'checkout_id') }}, message_id
        ) as payment_key,
        user_id,
        anonymous_id,
        occurred_at,
        lower({{ json_text('properties', 'payment_method') }}) as payment_method,
        {{ json_text('properties', 'reason') }} as reason,
        batch_id

    from events
    where event_type = 'track' and event_name in ('Payment Info Entered', 'Payment Failed')
        {{ and_new_batches() }}

)

select * from final
