{{ config(
    key='day',
    unique_key='day',
    dirty_keys="{{ changed('fct_sessions_hourly', 'day', 'date') }}",
) }}

with

sessions as (

    select * from {{ ref('fct_sessions_hourly') }}
    where true
        {{ and_dirty('day') }}

),

final as (

    select
        day,
        cast(sum(sessions) as bigint) as sessions,
        cast(coalesce(sum(sessions) filter (where funnel_step = 4), 0) as bigint) as converted_sessions,
        {{ ratio('coalesce(sum(sessions) filter (where funnel_step = 4), 0)', 'sum(sessions)') }} as conversion_rate

    from sessions
    group by day

)

select * from final
