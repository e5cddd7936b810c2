{{ config(
    key='day',
    unique_key=['day', 'coupon', 'currency'],
    dirty_keys="{{ changed('fct_sales_hourly', 'day', 'date') }}",
    indexes=[{'columns': ['day']}],
) }}

with

sales as (

    select * from {{ ref('fct_sales_hourly') }}
    where true
        {{ and_dirty('day') }}

),

final as (

    select
        day,
        coupon,
        currency,
        {{ sales_measures() }}

    from sales
    group by day, coupon, currency

)

select * from final
