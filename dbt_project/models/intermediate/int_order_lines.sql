with

orders as (

    select * from {{ ref('int_orders') }}

),

order_lines as (

    select * from {{ ref('stg_order_lines') }}

),

final as (

    select
        orders.order_id,
        order_lines.line_number,
        orders.ordered_at,
        order_lines.product_id,
        order_lines.sku,
        order_lines.product_name,
        order_lines.brand,
        order_lines.category,
        order_lines.variant,
        orders.currency,
        order_lines.quantity,
        order_lines.unit_price_minor,
        order_lines.gross_minor

    from order_lines
    -- By message: the lines of an order's second completion don't count.
    inner join orders on order_lines.message_id = orders.message_id

)

select * from final
