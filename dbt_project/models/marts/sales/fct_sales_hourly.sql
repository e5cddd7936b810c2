-- A late order costs its hour here, and its day what this table has of the day.
{{ config(
    key='hour',
    unique_key=['hour', 'country', 'city', 'channel', 'coupon', 'currency'],
    dirty_keys="
        {{ changed('fct_orders', 'ordered_hour', 'timestamp') }}
        union all
        {{ changed('fct_refunds', 'refunded_hour', 'timestamp') }}
    ",
    emits={'hour': 'hour', 'day': 'day', 'slot': 'slot'},
    indexes=[{'columns': ['hour']}, {'columns': ['day']}, {'columns': ['slot']}],
) }}

with

orders as (

    select * from {{ ref('fct_orders') }}
    where true
        {{ and_dirty('ordered_hour') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}
    where true
        {{ and_dirty('refunded_hour') }}

),

-- An order counts when it is placed, a refund when it is given: yesterday's figures don't change when something comes
-- back.
movements as (

    select
        ordered_hour as hour,
        ordered_on as day,
        coalesce(country, 'unknown') as country,
        coalesce(city, 'unknown') as city,
        channel,
        coalesce(coupon, 'none') as coupon,
        currency,
        1 as orders,
        units,
        gross_revenue_minor,
        discount_minor,
        0 as refund_minor,
        shipping_minor,
        tax_minor

    from orders

    union all

    select
        refunded_hour as hour,
        refunded_on as day,
        coalesce(country, 'unknown') as country,
        coalesce(city, 'unknown') as city,
        coalesce(channel, 'unknown') as channel,
        coalesce(coupon, case when order_known then 'none' else 'unknown' end) as coupon,
        currency,
        0 as orders,
        0 as units,
        0 as gross_revenue_minor,
        0 as discount_minor,
        refund_minor,
        0 as shipping_minor,
        0 as tax_minor

    from refunds

),

final as (

    select
        hour,
        day,
        -- Its hour of its weekday in its month: what the week's pattern is added up from.
        cast({{ month_of('day') }} as {{ dbt.type_string() }})
        || ' ' || cast({{ weekday('day') }} as {{ dbt.type_string() }})
        || ' ' || cast(cast(extract(hour from hour) as integer) as {{ dbt.type_string() }}) as slot,
        country,
        city,
        channel,
        coupon,
        currency,
        cast(sum(orders) as bigint) as orders,
        cast(sum(units) as bigint) as units,
        cast(sum(gross_revenue_minor) as bigint) as gross_revenue_minor,
        cast(sum(discount_minor) as bigint) as discount_minor,
        cast(sum(refund_minor) as bigint) as refund_minor,
        cast(sum(shipping_minor) as bigint) as shipping_minor,
        cast(sum(tax_minor) as bigint) as tax_minor

    from movements
    group by hour, day, country, city, channel, coupon, currency

)

select * from final
