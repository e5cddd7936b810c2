-- A new event touches the sessions that have an event within the pause, before it or after it: these alone are cut
-- anew, with it. All others of its visitor stay as they are, however long the visitor has been coming. They are looked
-- for once a burst of new events without a pause, not once an event, by day and visitor: whatever the history, new events
-- are looked for, and put, where the days are that they are of.
{{ config(
    key='session_id',
    unique_key='message_id',
    dirty_keys="
        with paused as (

            select
                anonymous_id,
                occurred_at,
                lag(occurred_at) over (partition by anonymous_id order by occurred_at) as previous_at

            from {{ ref('stg_events') }}
            where anonymous_id is not null
                and batch_id in ({{ changed('stg_events', 'batch_id', 'bigint') }})

        ),

        numbered as (

            select
                anonymous_id,
                occurred_at,
                count(*) filter (
                    where previous_at is null
                        or occurred_at > {{ dbt.dateadd('minute', var('session_gap_minutes'), 'previous_at') }}
                ) over (partition by anonymous_id order by occurred_at) as burst

            from paused

        ),

        reaches as (

            select
                anonymous_id,
                burst,
                {{ dbt.dateadd('minute', -var('session_gap_minutes'), 'occurred_at') }} as from_moment,
                {{ dbt.dateadd('minute', var('session_gap_minutes'), 'occurred_at') }} as to_moment

            from numbered

        ),

        bursts as (

            select
                anonymous_id,
                burst,
                min(from_moment) as from_moment,
                max(to_moment) as to_moment

            from reaches
            group by anonymous_id, burst

        ),

        -- From the events, for the planner thinks that a generated series is a thousand days.
        days as (

            select anonymous_id, burst, {{ utc_day('from_moment') }} as day
            from reaches
            union
            select anonymous_id, burst, {{ utc_day('to_moment') }} as day
            from reaches

        )

        select coalesce(near.session_id, 'a new session')
        from days
        inner join bursts on days.anonymous_id = bursts.anonymous_id and days.burst = bursts.burst
        left join {{ this }} as near
            on days.day = {{ utc_day('near.occurred_at') }}
            and days.anonymous_id = near.anonymous_id
            and near.occurred_at between bursts.from_moment and bursts.to_moment
    ",
    emits={
        'session_id': 'session_id',
        'order_message_id': "case when event_name = 'Order Completed' then message_id end",
    },
    indexes=[{'columns': [utc_day('occurred_at'), 'anonymous_id']}, {'columns': ['session_id']}],
) }}

{% set columns %}
        message_id,
        anonymous_id,
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
{% endset %}

with

events as (

    select {{ columns }}
    from {{ ref('stg_events') }}
    -- Without a visitor there is no visit: imports and servers send such events.
    where anonymous_id is not null
        {{ and_new('stg_events') }}

    {{ in_increments("union all select " ~ columns ~ " from " ~ this ~ " where session_id = any(array(select key from dirty_keys))") }}

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

-- Both windows are the same, so that the events are sorted once.
started as (

    select
        *,
        max(starts_at) over (partition by anonymous_id order by occurred_at, message_id) as session_started_at

    from marked

),

final as (

    select
        message_id,
        -- From start and visitor, so that the same events give the same id in every rebuild. The start comes first, so that
        -- the sessions of a day are neighbours in every index.
        {{ microseconds('session_started_at') }} || '-' || substr({{ dbt.hash('anonymous_id') }}, 1, 16) as session_id,
        anonymous_id,
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
