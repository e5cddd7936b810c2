{{ config(
    key='order_id',
    unique_key=['order_id', 'line_number'],
    dirty_keys="
        {{ changed('int_orders', 'order_id') }}
        union all
        {{ changed('stg_order_lines', 'order_id') }}
    ",
    emits={'order_id': 'order_id', 'ordered_on': 'ordered_on'},
    indexes=[{'columns': ['order_id']}, {'columns': ['ordered_on']}],
    cluster_by='ordered_at',
) }}

with

orders as (

    select * from {{ ref('int_orders') }}
    where true
        {{ and_dirty('order_id') }}

),

order_lines as (

    select * from {{ ref('stg_order_lines') }}
    where true
        {{ and_dirty('order_id') }}

),

final as (

    select
        orders.order_id,
        order_lines.line_number,
        orders.ordered_at,
        {{ utc_day('orders.ordered_at') }} as ordered_on,
        order_lines.product_id,
        order_lines.sku,
        order_lines.product_name,
        order_lines.brand,
        order_lines.category,
        order_lines.variant,
        orders.fulfilment_centre,
        orders.currency,
        order_lines.quantity,
        order_lines.unit_price_minor,
        order_lines.gross_minor,
        -- The order's discount by the lines' share of its merchandise.
        {{ share_out('orders.discount_minor', 'order_lines.gross_minor', 'order_lines.order_id', 'order_lines.line_number') }}
            as discount_minor

    from order_lines
    -- By message: the lines of an order's second completion don't count.
    inner join orders on order_lines.message_id = orders.message_id

)

select * from final
