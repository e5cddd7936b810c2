-- Devices and channels each add up to the whole funnel, step by step.
with

whole as (

    select
        day,
        step_number,
        sessions
    from {{ ref('rpt_daily_funnel') }}

),

by_device as (

    select
        day,
        step_number,
        sum(sessions) as sessions
    from {{ ref('rpt_daily_funnel_by_device') }}
    group by day, step_number

),

by_channel as (

    select
        day,
        step_number,
        sum(sessions) as sessions
    from {{ ref('rpt_daily_funnel_by_channel') }}
    group by day, step_number

)

select
    day,
    step_number,
    whole.sessions,
    by_device.sessions as device_sessions,
    by_channel.sessions as channel_sessions
from whole
full join by_device using (day, step_number)
full join by_channel using (day, step_number)
where whole.sessions is distinct from by_device.sessions or whole.sessions is distinct from by_channel.sessions
