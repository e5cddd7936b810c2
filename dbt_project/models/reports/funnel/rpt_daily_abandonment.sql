{{ config(
    key='day',
    unique_key=['day', 'channel', 'device'],
    dirty_keys="{{ changed('fct_sessions_hourly', 'day', 'date') }}",
) }}

with

sessions as (

    select * from {{ ref('fct_sessions_hourly') }}
    where true
        {{ and_dirty('day') }}

),

counted as (

    select
        day,
        channel,
        device,
        sum(case when funnel_step >= 2 then sessions else 0 end) as carts,
        sum(case when funnel_step in (2, 3) then sessions else 0 end) as abandoned_carts,
        sum(case when funnel_step >= 3 then sessions else 0 end) as checkouts,
        sum(case when funnel_step = 3 then sessions else 0 end) as abandoned_checkouts

    from sessions
    group by day, channel, device

),

final as (

    select
        day,
        channel,
        device,
        cast(carts as bigint) as carts,
        cast(abandoned_carts as bigint) as abandoned_carts,
        {{ ratio('abandoned_carts', 'carts') }} as cart_abandonment_rate,
        cast(checkouts as bigint) as checkouts,
        cast(abandoned_checkouts as bigint) as abandoned_checkouts,
        {{ ratio('abandoned_checkouts', 'checkouts') }} as checkout_abandonment_rate

    from counted
    where carts > 0

)

select * from final
