-- The data's last day, never the clock's, so that the same events make the same tables on any day.
with

customers as (

    select max(last_seen_at) as last_seen_at
    from {{ ref('dim_customers') }}

),

sessions as (

    select max(ended_at) as last_seen_at
    from {{ ref('fct_sessions') }}

),

seen as (

    select * from customers
    union all
    select * from sessions

),

final as (

    select {{ utc_day('max(last_seen_at)') }} as day
    from seen
    having max(last_seen_at) is not null

)

select * from final
