with

interactions as (

    select
        product_id,
        sum(case when interaction = 'Product Viewed' then 1 else 0 end) as views,
        sum(case when interaction = 'Product Added' then 1 else 0 end) as adds
    from {{ ref('fct_product_interactions') }}
    group by product_id

),

sold as (

    select
        product_id,
        count(distinct order_id) as orders,
        sum(quantity) as units
    from {{ ref('fct_order_lines') }}
    group by product_id

),

given_back as (

    select
        product_id,
        sum(units) as units
    from {{ ref('fct_refund_lines') }}
    group by product_id

)

select report.*
from {{ ref('rpt_product_performance') }} as report
full join interactions on report.product_id = interactions.product_id
full join sold on coalesce(report.product_id, interactions.product_id) = sold.product_id
full join given_back on coalesce(report.product_id, interactions.product_id, sold.product_id) = given_back.product_id
where report.product_id is null
    or report.views != coalesce(interactions.views, 0)
    or report.adds != coalesce(interactions.adds, 0)
    or report.orders != coalesce(sold.orders, 0)
    or report.units != coalesce(sold.units, 0)
    or report.returned_units != coalesce(given_back.units, 0)
