with

facts as (

    select
        started_on as day,
        count(*) as sessions,
        sum(case when orders > 0 then 1 else 0 end) as converted_sessions,
        sum(case when bounced then 1 else 0 end) as bounced_sessions

    from {{ ref('fct_sessions') }}
    group by started_on

),

by_channel as (

    select
        day,
        sum(sessions) as sessions,
        sum(converted_sessions) as converted_sessions,
        sum(bounced_sessions) as bounced_sessions

    from {{ ref('rpt_daily_sessions_by_channel') }}
    group by day

),

reports as (

    select
        'rpt_daily_sessions' as report,
        day,
        sessions,
        converted_sessions,
        bounced_sessions
    from {{ ref('rpt_daily_sessions') }}

    union all

    select
        'rpt_daily_sessions_by_channel' as report,
        day,
        sessions,
        converted_sessions,
        bounced_sessions
    from by_channel

),

expected as (

    select
        names.report,
        facts.*
    from facts
    cross join (values ('rpt_daily_sessions'), ('rpt_daily_sessions_by_channel')) as names (report)

)

select
    coalesce(expected.report, reports.report) as report,
    coalesce(expected.day, reports.day) as day,
    expected.sessions as fact_sessions,
    reports.sessions,
    expected.converted_sessions as fact_converted_sessions,
    reports.converted_sessions,
    expected.bounced_sessions as fact_bounced_sessions,
    reports.bounced_sessions
from expected
full join reports on expected.report = reports.report and expected.day = reports.day
where expected.sessions is distinct from reports.sessions
    or expected.converted_sessions is distinct from reports.converted_sessions
    or expected.bounced_sessions is distinct from reports.bounced_sessions
