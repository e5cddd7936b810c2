-- Within a session no pause is longer than the limit; between two of a visitor every one is.
with

ordered as (

    select
        message_id,
        session_id,
        occurred_at,
        lag(session_id) over visitor as previous_session_id,
        lag(occurred_at) over visitor as previous_at

    from {{ ref('int_events_sessionized') }}
    window visitor as (partition by anonymous_id order by occurred_at, message_id)

)

select *
from ordered
where (session_id = previous_session_id)
    = (occurred_at > {{ dbt.dateadd('minute', var('session_gap_minutes'), 'previous_at') }})
