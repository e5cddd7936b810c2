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
        event_type,
        event_name,
        user_id,
        anonymous_id,

        occurred_at,
        sent_at,
        received_at,

        page_path,
        referrer,
        utm_source,
        utm_medium,
        utm_campaign,
        locale,
        country,
        ip,
        user_agent,
        device,

        batch_id,
        loaded_at

    from events
    where true
        {{ and_new_batches() }}

)

select * from final
