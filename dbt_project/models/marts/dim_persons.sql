-- Where a person first came from, over all browsers and devices that are known to be theirs today. The visits are counted
-- from an index; only the first and the last are read.
{{ config(
    key='person_id',
    unique_key='person_id',
    dirty_keys="{{ changed('fct_sessions', 'person_id') }}",
    emits={'customer_id': {'key': 'customer_id', 'of': ['visitors', 'sessions']}},
    indexes=[{'columns': ['customer_id']}],
    cluster_by='last_touch_at',
) }}

with

sessions as (

    select * from {{ ref('fct_sessions') }}
    where true
        {{ and_dirty_by_index('person_id') }}

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

-- By person and moment, each looked up in the index, not all visits of the person. Of visits that began in the same
-- microsecond the one with the lower id is the earlier.
touches as (

    select
        counted.*,
        'first' as touch,
        visits.customer_id,
        visits.channel,
        visits.landing_path,
        row_number() over (partition by counted.person_id order by visits.session_id) as place

    from counted
    inner join {{ ref('fct_sessions') }} as visits
        on counted.person_id = visits.person_id and counted.first_touch_at = visits.started_at

    union all

    select
        counted.*,
        'last' as touch,
        visits.customer_id,
        visits.channel,
        visits.landing_path,
        row_number() over (partition by counted.person_id order by visits.session_id desc) as place

    from counted
    inner join {{ ref('fct_sessions') }} as visits
        on counted.person_id = visits.person_id and counted.last_touch_at = visits.started_at

),

final as (

    select
        person_id,
        max(customer_id) as customer_id,
        visitors,
        sessions,
        first_touch_at,
        max(case when touch = 'first' then channel end) as first_touch_channel,
        max(case when touch = 'first' then landing_path end) as first_landing_path,
        last_touch_at,
        max(case when touch = 'last' then channel end) as last_touch_channel

    from touches
    where place = 1
    group by person_id, visitors, sessions, first_touch_at, last_touch_at

)

select * from final
