-- Where a person first came from, over all browsers and devices that are known to be theirs today. The visits are counted
-- from an index; only the first and the last are read.
{{ config(
    key='person_id',
    unique_key='person_id',
    dirty_keys="{{ changed('fct_sessions', 'person_id') }}",
    emits={'customer_id': {'key': 'customer_id', 'of': ['visitors', 'sessions']}},
    indexes=[{'columns': ['customer_id']}],
) }}

with

sessions as (

    select * from {{ ref('fct_sessions') }}
    where true
        {{ and_dirty('person_id') }}

),

-- Once more, for what is used twice is computed wholly.
touches as (

    select * from {{ ref('fct_sessions') }}

),

counted as (

    select
        person_id,
        count(distinct anonymous_id) as visitors,
        count(*) as sessions,
        min(started_at) as first_touch_at,
        max(started_at) as last_touch_at

    from sessions
    group by person_id

),

ranked as (

    select
        counted.*,
        touches.customer_id,
        touches.channel,
        touches.landing_path,
        row_number() over (
            partition by counted.person_id order by touches.started_at, touches.session_id
        ) as place,
        row_number() over (
            partition by counted.person_id order by touches.started_at desc, touches.session_id desc
        ) as place_from_last

    from counted
    inner join touches
        on counted.person_id = touches.person_id
        and touches.started_at in (counted.first_touch_at, counted.last_touch_at)

),

final as (

    select
        person_id,
        max(customer_id) as customer_id,
        visitors,
        sessions,
        first_touch_at,
        max(case when place = 1 then channel end) as first_touch_channel,
        max(case when place = 1 then landing_path end) as first_landing_path,
        last_touch_at,
        max(case when place_from_last = 1 then channel end) as last_touch_channel

    from ranked
    group by person_id, visitors, sessions, first_touch_at, last_touch_at

)

select * from final
