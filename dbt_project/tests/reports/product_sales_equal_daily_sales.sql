-- Two reports, two ways to the same money: by product and by day.
with

by_product as (

    select
        currency,
        sum(units) as units,
        sum(gross_revenue) as gross_revenue

    from {{ ref('rpt_product_sales') }}
    group by currency

),

by_day as (

    select
        currency,
        sum(units) as units,
        sum(gross_revenue) as gross_revenue

    from {{ ref('rpt_daily_sales') }}
    group by currency

)

select
    currency,
    by_product.units as product_units,
    by_day.units as day_units,
    by_product.gross_revenue as product_gross_revenue,
    by_day.gross_revenue as day_gross_revenue
from by_product
full join by_day using (currency)
where coalesce(by_product.units, 0) != coalesce(by_day.units, 0)
    or coalesce(by_product.gross_revenue, 0) != coalesce(by_day.gross_revenue, 0)
