select
    lines.product_id,
    lines.units,
    stock.sold
from (
    select
        product_id,
        sum(quantity) as units
    from {{ ref('fct_order_lines') }}
    group by product_id
) as lines
full join (
    select
        product_id,
        sum(sold) as sold
    from {{ ref('fct_inventory_daily') }}
    group by product_id
) as stock on lines.product_id = stock.product_id
where coalesce(lines.units, 0) != coalesce(stock.sold, 0)
