-- No event of a visitor is lost or doubled by sessionizing.
with

visitor_events as (

    select count(*) as events
    from {{ ref('stg_events') }}
    where anonymous_id is not null

),

sessionized as (

    select count(*) as events
    from {{ ref('int_events_sessionized') }}

)

select
    visitor_events.events as visitor_events,
    sessionized.events as sessionized_events
from visitor_events
cross join sessionized
where visitor_events.events != sessionized.events
