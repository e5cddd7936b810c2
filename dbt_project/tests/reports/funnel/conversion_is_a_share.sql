-- Also of each channel, device and country.
{% for report in ['rpt_daily_sessions', 'rpt_daily_sessions_by_channel'] %}
select
    '{{ report }}' as report,
    day,
    sessions,
    converted_sessions,
    conversion_rate,
    bounced_sessions,
    bounce_rate
from {{ ref(report) }}
where conversion_rate < 0 or conversion_rate > 1 or converted_sessions > sessions
    or bounce_rate < 0 or bounce_rate > 1 or bounced_sessions + converted_sessions > sessions
{{ 'union all' if not loop.last }}
{% endfor %}
