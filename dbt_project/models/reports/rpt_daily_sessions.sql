{{ config(
    key='day',
    unique_key='day',
    dirty_keys="{{ changed('fct_sessions', 'started_on', 'date') }}",
) }}

with

sessions as (

    select * from {{ ref('fct_sessions') }}
    where true
        {{ and_dirty('started_on') }}

),

final as (

    select
        started_on as day,
        count(*) as sessions,
        count(*) filter (where converted) as converted_sessions,
        {{ ratio('count(*) filter (where converted)', 'count(*)') }} as conversion_rate

    from sessions
    group by started_on

)

select * from final
