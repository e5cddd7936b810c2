-- A refund's amount by the products it gives back: by those it lists; without a list, by all lines of its order.
{{ config(
    key='order_id',
    unique_key=['refund_id', 'line_number'],
    dirty_keys="
        {{ changed('int_refunds', 'order_id') }}
        union all
        {{ changed('stg_refund_lines', 'order_id') }}
        union all
        {{ changed('int_order_lines', 'order_id') }}
    ",
    emits={'product_id': 'product_id', 'refunded_on': 'refunded_on'},
    indexes=[{'columns': ['order_id']}, {'columns': ['refunded_on']}, {'columns': ['product_id']}],
    cluster_by='refunded_on',
) }}

with

refunds as (

    select * from {{ ref('int_refunds') }}
    where true
        {{ and_dirty('order_id') }}

),

refund_lines as (

    select * from {{ ref('stg_refund_lines') }}
    where true
        {{ and_dirty('order_id') }}

),

order_lines as (

    select * from {{ ref('int_order_lines') }}
    where true
        {{ and_dirty('order_id') }}

),

sold as (

    select
        order_id,
        product_id,
        max(unit_price_minor) as unit_price_minor,
        max(category) as category

    from order_lines
    group by order_id, product_id

),

listed as (

    select
        refunds.message_id,
        refund_lines.line_number,
        refund_lines.product_id,
        coalesce(refund_lines.category, sold.category) as category,
        refund_lines.quantity as units,
        coalesce(
            {{ minor_units('refund_lines.price * refund_lines.quantity', 'refunds.currency') }},
            sold.unit_price_minor * refund_lines.quantity,
            0
        ) as weight

    from refunds
    inner join refund_lines on refunds.message_id = refund_lines.message_id
    left join sold on refunds.order_id = sold.order_id and refund_lines.product_id = sold.product_id

),

of_the_order as (

    select
        refunds.message_id,
        order_lines.line_number,
        order_lines.product_id,
        order_lines.category,
        -- How many pieces come back is known only where all do.
        case when refunds.refund_basis = 'full_order' then order_lines.quantity else 0 end as units,
        greatest(order_lines.gross_minor - order_lines.discount_minor, 0) as weight

    from refunds
    inner join order_lines on refunds.order_id = order_lines.order_id
    left join listed on refunds.message_id = listed.message_id
    where listed.message_id is null

),

products as (

    select * from listed
    union all
    select * from of_the_order

),

final as (

    select
        refunds.message_id as refund_id,
        coalesce(products.line_number, 1) as line_number,
        refunds.order_id,
        refunds.refunded_at,
        {{ utc_day('refunds.refunded_at') }} as refunded_on,
        coalesce(products.product_id, 'unknown') as product_id,
        coalesce(products.category, 'unknown') as category,
        refunds.currency,
        cast(coalesce(products.units, 0) as bigint) as units,
        {{ share_out(
            'refunds.refund_minor', 'coalesce(products.weight, 0)', 'refunds.message_id', 'coalesce(products.line_number, 1)'
        ) }} as refund_minor

    from refunds
    left join products on refunds.message_id = products.message_id

)

select * from final
