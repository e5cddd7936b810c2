-- New, returning and guests are all that was sold and given back, each day, in each currency.
with

by_type as (

    select
        day,
        currency,
        sum(orders) as orders,
        sum(gross_revenue) as gross_revenue,
        sum(discounts) as discounts,
        sum(refunds) as refunds,
        sum(net_revenue) as net_revenue

    from {{ ref('rpt_daily_customers') }}
    group by day, currency

),

sales as (

    select
        day,
        currency,
        orders,
        gross_revenue,
        discounts,
        refunds,
        net_revenue

    from {{ ref('rpt_daily_sales') }}

)

(select 'only in sales' as found, sales.* from sales except all select 'only in sales', by_type.* from by_type)
union all
(select 'only in customers' as found, by_type.* from by_type except all select 'only in customers', sales.* from sales)
