{{ config(
    key='hour',
    unique_key=['hour', 'currency'],
    dirty_keys="{{ changed('fct_sales_hourly', 'hour', 'timestamp') }}",
) }}

with

sales as (

    select * from {{ ref('fct_sales_hourly') }}
    where true
        {{ and_dirty('hour') }}

),

final as (

    select
        hour,
        day,
        currency,
        {{ sales_measures() }}

    from sales
    group by hour, day, currency

)

select * from final
