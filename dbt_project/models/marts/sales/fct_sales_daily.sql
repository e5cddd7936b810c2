{{ config(
    key='day',
    unique_key=['day', 'currency'],
    dirty_keys="{{ changed('fct_sales_hourly', 'day', 'date') }}",
    emits={'day': 'day', 'week': 'week', 'month': 'month'},
    indexes=[{'columns': ['day']}, {'columns': ['week']}, {'columns': ['month']}],
) }}

with

hours as (

    select * from {{ ref('fct_sales_hourly') }}
    where true
        {{ and_dirty('day') }}

),

final as (

    select
        day,
        {{ week_of('day') }} as week,
        {{ month_of('day') }} as month,
        currency,
        cast(sum(orders) as bigint) as orders,
        cast(sum(units) as bigint) as units,
        cast(sum(gross_revenue_minor) as bigint) as gross_revenue_minor,
        cast(sum(discount_minor) as bigint) as discount_minor,
        cast(sum(refund_minor) as bigint) as refund_minor,
        cast(sum(shipping_minor) as bigint) as shipping_minor,
        cast(sum(tax_minor) as bigint) as tax_minor

    from hours
    group by day, currency

)

select * from final
