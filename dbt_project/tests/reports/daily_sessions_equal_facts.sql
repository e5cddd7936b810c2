with

facts as (

    select
        started_on as day,
        count(*) as sessions,
        sum(case when orders > 0 then 1 else 0 end) as converted_sessions

    from {{ ref('fct_sessions') }}
    group by started_on

)

select
    coalesce(facts.day, report.day) as day,
    facts.sessions as fact_sessions,
    report.sessions as report_sessions,
    facts.converted_sessions as fact_converted_sessions,
    report.converted_sessions as report_converted_sessions
from facts
full join {{ ref('rpt_daily_sessions') }} as report on facts.day = report.day
where facts.sessions is distinct from report.sessions
    or facts.converted_sessions is distinct from report.converted_sessions
