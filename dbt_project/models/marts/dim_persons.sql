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

-- By person and moment, each looked up in the index; once each, for what is used twice is computed wholly.
first_touches as (

    select
        touches.person_id,
        touches.customer_id,
        touches.channel,
        touches.landing_path,
        row_number() over (partition by touches.person_id order by touches.session_id) as place

    from counted
    inner join {{ ref('fct_sessions') }} as touches
        on counted.person_id = touches.person_id and counted.first_touch_at = touches.started_at

),

last_touches as (

    select
        touches.person_id,
        touches.channel,
        row_number() over (partition by touches.person_id order by touches.session_id desc) as place

    from counted
    inner join {{ ref('fct_sessions') }} as touches
        on counted.person_id = touches.person_id and counted.last_touch_at = touches.started_at

),

final as (

    select
        counted.person_id,
        first_touches.customer_id,
        counted.visitors,
        counted.sessions,
        counted.first_touch_at,
        first_touches.channel as first_touch_channel,
        first_touches.landing_path as first_landing_path,
        counted.last_touch_at,
        last_touches.channel as last_touch_channel

    from counted
    inner join first_touches on counted.person_id = first_touches.person_id and first_touches.place = 1
    inner join last_touches on counted.person_id = last_touches.person_id and last_touches.place = 1

)

select * from final
