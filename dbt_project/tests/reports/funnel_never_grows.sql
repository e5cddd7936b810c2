with

compared as (

    select
        day,
        step_number,
        sessions,
        lag(sessions) over (partition by day order by step_number) as previous_sessions

    from {{ ref('rpt_daily_funnel') }}

)

select *
from compared
where sessions > previous_sessions
