-- Its end is the day's conversions, its begin no more than the day's sessions.
select
    sessions.day,
    sessions.sessions,
    sessions.converted_sessions,
    first_step.sessions as first_step_sessions,
    last_step.sessions as last_step_sessions
from {{ ref('rpt_daily_sessions') }} as sessions
left join {{ ref('rpt_daily_funnel') }} as first_step
    on sessions.day = first_step.day and first_step.step_number = 1
left join {{ ref('rpt_daily_funnel') }} as last_step
    on sessions.day = last_step.day and last_step.step_number = 4
where last_step.sessions is distinct from sessions.converted_sessions
    or first_step.sessions is null
    or first_step.sessions > sessions.sessions
