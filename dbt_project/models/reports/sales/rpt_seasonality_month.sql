{{ config(
    key='currency',
    unique_key=['month_of_year', 'currency'],
    dirty_keys="{{ changed('rpt_monthly_sales', 'currency') }}",
) }}

with

months as (

    select
        *,
        cast(extract(month from month) as integer) as month_of_year

    from {{ ref('rpt_monthly_sales') }}
    where true
        {{ and_dirty('currency') }}

),

summed as (

    select
        month_of_year,
        currency,
        count(*) as months,
        cast(sum(days) as bigint) as days,
        cast(sum(orders) as bigint) as orders,
        cast(sum(net_revenue) as numeric(22, 3)) as net_revenue

    from months
    group by month_of_year, currency

),

final as (

    select
        month_of_year,
        currency,
        months,
        days,
        orders,
        net_revenue,
        -- By the day, for months are of different lengths, and the first and the last may be cut.
        {{ ratio(
            'net_revenue * sum(days) over (partition by currency)',
            'days * sum(net_revenue) over (partition by currency)'
        ) }} as month_index

    from summed

)

select * from final
