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
        {{ json_text('properties', 'promotion_id') }} as promotion_id,
        {{ json_text('properties', 'name') }} as promotion_name,
        {{ json_text('properties', 'creative') }} as creative,
        batch_id

    from events
    where event_type = 'track' and event_name in ('Promotion Viewed', 'Promotion Clicked')
        {{ and_new_batches() }}

)

select * from final
