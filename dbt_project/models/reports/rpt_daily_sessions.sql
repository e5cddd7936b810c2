with

sessions as (

    select * from {{ ref('fct_sessions') }}

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
