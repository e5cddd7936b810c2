-- Every session is one person's.
with

counted as (

    select
        person_id,
        count(*) as sessions

    from {{ ref('fct_sessions') }}
    group by person_id

)

select
    coalesce(counted.person_id, persons.person_id) as person_id,
    counted.sessions as fact_sessions,
    persons.sessions
from counted
full join {{ ref('dim_persons') }} as persons on counted.person_id = persons.person_id
where counted.sessions is distinct from persons.sessions
