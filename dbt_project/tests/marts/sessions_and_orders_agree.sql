-- A session's orders are the facts that name it.
with

ordered as (

    select
        session_id,
        count(*) as orders

    from {{ ref('fct_orders') }}
    where session_id is not null
    group by session_id

)

select
    sessions.session_id,
    sessions.orders,
    sessions.converted,
    ordered.orders as facts
from {{ ref('fct_sessions') }} as sessions
left join ordered on sessions.session_id = ordered.session_id
where sessions.orders != coalesce(ordered.orders, 0)
    or sessions.converted != (ordered.orders is not null)
