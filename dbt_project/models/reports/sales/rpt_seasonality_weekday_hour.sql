{{ config(
    key='currency',
    unique_key=['weekday', 'hour', 'currency'],
    dirty_keys="{{ changed('fct_sales_slots', 'currency') }}",
) }}

with

slots as (

    select * from {{ ref('fct_sales_slots') }}
    where true
        {{ and_dirty('currency') }}

),

summed as (

    select
        weekday,
        hour,
        currency,
        cast(sum(orders) as bigint) as orders,
        {{ major_units('sum(net_revenue_minor)', 'currency') }} as net_revenue

    from slots
    group by weekday, hour, currency

),

final as (

    select
        weekday,
        hour,
        currency,
        orders,
        net_revenue,
        {{ ratio('orders', 'sum(orders) over (partition by currency)') }} as share

    from summed

)

select * from final
