with

line_sums as (

    select
        order_id,
        count(*) as lines,
        sum(quantity) as units,
        sum(gross_minor) as gross_minor

    from {{ ref('fct_order_lines') }}
    group by order_id

)

select
    orders.order_id,
    orders.lines,
    line_sums.lines as summed_lines,
    orders.units,
    line_sums.units as summed_units,
    orders.gross_revenue_minor,
    line_sums.gross_minor as summed_gross_minor
from {{ ref('fct_orders') }} as orders
left join line_sums on orders.order_id = line_sums.order_id
where orders.lines != coalesce(line_sums.lines, 0)
    or orders.units != coalesce(line_sums.units, 0)
    or orders.gross_revenue_minor != coalesce(line_sums.gross_minor, 0)
