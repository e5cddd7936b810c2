{{ config(
    key='day',
    unique_key=['day', 'channel', 'currency'],
    dirty_keys="{{ changed('fct_order_touches', 'ordered_on', 'date') }}",
) }}

with

touches as (

    select * from {{ ref('fct_order_touches') }}
    where true
        {{ and_dirty('ordered_on') }}

),

summed as (

    select
        ordered_on as day,
        channel,
        currency,
        sum(case when is_first_touch then 1 else 0 end) as first_touch_orders,
        sum(case when is_last_touch then 1 else 0 end) as last_touch_orders,
        sum(linear_orders) as linear_orders,
        sum(case when is_first_touch then revenue_minor else 0 end) as first_touch_minor,
        sum(case when is_last_touch then revenue_minor else 0 end) as last_touch_minor,
        sum(linear_revenue_minor) as linear_minor

    from touches
    group by ordered_on, channel, currency

),

final as (

    select
        day,
        channel,
        currency,
        cast(first_touch_orders as bigint) as first_touch_orders,
        cast(last_touch_orders as bigint) as last_touch_orders,
        cast(linear_orders as numeric(22, 4)) as linear_orders,
        {{ major_units('first_touch_minor', 'currency') }} as first_touch_revenue,
        {{ major_units('last_touch_minor', 'currency') }} as last_touch_revenue,
        {{ major_units('linear_minor', 'currency') }} as linear_revenue

    from summed

)

select * from final
