-- Sessions' events add up to the visitors' events.
with

visits as (

    select
        session_id,
        count(*) as events

    from {{ ref('int_events_sessionized') }}
    group by session_id

)

select
    visits.session_id as visit_id,
    sessions.session_id,
    visits.events as visit_events,
    sessions.events as session_events
from visits
full join {{ ref('fct_sessions') }} as sessions on visits.session_id = sessions.session_id
where visits.events is distinct from sessions.events
