select
    day,
    sessions,
    converted_sessions,
    conversion_rate
from {{ ref('rpt_daily_sessions') }}
where conversion_rate < 0 or conversion_rate > 1 or converted_sessions > sessions
