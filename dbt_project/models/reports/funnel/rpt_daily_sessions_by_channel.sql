{{ config(
    key='day',
    unique_key=['day', 'channel', 'device', 'country'],
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
        channel,
        device,
        country,
        cast(sum(sessions) as bigint) as sessions,
        cast(sum(case when funnel_step = 4 then sessions else 0 end) as bigint) as converted_sessions,
        {{ ratio('sum(case when funnel_step = 4 then sessions else 0 end)', 'sum(sessions)') }} as conversion_rate,
        cast(sum(case when bounced then sessions else 0 end) as bigint) as bounced_sessions,
        {{ ratio('sum(case when bounced then sessions else 0 end)', 'sum(sessions)') }} as bounce_rate

    from sessions
    group by day, channel, device, country

)

select * from final
