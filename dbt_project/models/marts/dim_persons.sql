-- Where a person first came from, over all browsers and devices that are known to be theirs today.
{{ config(
    key='person_id',
    unique_key='person_id',
    dirty_keys="{{ changed('fct_sessions', 'person_id') }}",
) }}

with

sessions as (

    select * from {{ ref('fct_sessions') }}
    where true
        {{ and_dirty('person_id') }}

),

ranked as (

    select
        *,
        row_number() over (partition by person_id order by started_at, session_id) as place,
        row_number() over (partition by person_id order by started_at desc, session_id desc) as place_from_last

    from sessions

),

final as (

    select
        person_id,
        max(customer_id) as customer_id,
        count(distinct anonymous_id) as visitors,
        count(*) as sessions,
        min(started_at) as first_touch_at,
        max(case when place = 1 then channel end) as first_touch_channel,
        max(case when place = 1 then landing_path end) as first_landing_path,
        max(started_at) as last_touch_at,
        max(case when place_from_last = 1 then channel end) as last_touch_channel

    from ranked
    group by person_id

)

select * from final
