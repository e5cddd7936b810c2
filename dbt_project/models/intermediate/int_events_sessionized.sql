{{ config(
    key='anonymous_id',
    unique_key='message_id',
    dirty_keys="{{ changed('stg_events', 'anonymous_id') }}",
    emits={
        'anonymous_id': 'anonymous_id',
        'order_message_id': "case when event_name = 'Order Completed' then message_id end",
    },
    indexes=[{'columns': ['anonymous_id']}],
) }}

with

events as (

    select * from {{ ref('stg_events') }}
    -- Without a visitor there is no visit: imports and servers send such events.
    where anonymous_id is not null
        {{ and_dirty('anonymous_id') }}

),

paused as (

    select
        *,
        lag(occurred_at) over (partition by anonymous_id order by occurred_at, message_id) as previous_at

    from events

),

marked as (

    select
        *,
        -- Strictly longer: a pause of exactly the limit stays in the session.
        case
            when previous_at is null
                or occurred_at > {{ dbt.dateadd('minute', var('session_gap_minutes'), 'previous_at') }}
                then occurred_at
        end as starts_at

    from paused

),

-- All windows are the same, so that the events are sorted once.
started as (

    select
        *,
        count(starts_at) over (partition by anonymous_id order by occurred_at, message_id) as session_number,
        max(starts_at) over (partition by anonymous_id order by occurred_at, message_id) as session_started_at

    from marked

),

final as (

    select
        message_id,
        -- From visitor and start, so that the same events give the same id in every rebuild.
        {{ dbt.hash("anonymous_id || '|' || cast(extract(epoch from session_started_at) * 1000000 as bigint)") }} as session_id,
        anonymous_id,
        session_number,
        session_started_at,
        user_id,
        event_type,
        event_name,
        occurred_at,
        device,
        country,
        page_path,
        referrer,
        utm_source,
        utm_medium,
        utm_campaign

    from started

)

select * from final
