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
        event_name,
        occurred_at,
        {{ json_text('properties', 'coupon_id') }} as coupon,
        {{ json_text('properties', 'coupon_name') }} as coupon_name,
        {{ json_text('properties', 'reason') }} as reason,
        batch_id

    from events
    where event_type = 'track'
        and event_name in ('Coupon Entered', 'Coupon Applied', 'Coupon Denied', 'Coupon Removed')
        {{ and_new_batches() }}

)

select * from final
