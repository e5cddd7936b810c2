{% for report, by in [('rpt_daily_funnel', 'null'), ('rpt_daily_funnel_by_device', 'device'), ('rpt_daily_funnel_by_channel', 'channel')] %}
select *
from (
    select
        '{{ report }}' as report,
        day,
        cast({{ by }} as {{ dbt.type_string() }}) as part,
        step_number,
        sessions,
        lag(sessions) over (partition by day, {{ by }} order by step_number) as previous_sessions
    from {{ ref(report) }}
) as compared_{{ loop.index }}
where sessions > previous_sessions
{{ 'union all' if not loop.last }}
{% endfor %}
