{{ config(
    key='order_id',
    unique_key='message_id',
    dirty_keys="
        {{ changed('stg_refunds', 'order_id') }}
        union all
        {{ changed('stg_refund_lines', 'order_id') }}
        union all
        {{ changed('int_orders', 'order_id') }}
        union all
        {{ changed('int_order_lines', 'order_id') }}
    ",
    emits={'order_id': 'order_id'},
    indexes=[{'columns': ['order_id']}],
    cluster_by='refunded_at',
) }}

-- What of a refund is merchandise; shipping and tax given back are no part of revenue.
with

refunds as (

    select * from {{ ref('stg_refunds') }}
    where true
        {{ and_dirty('order_id') }}

),

refund_lines as (

    select * from {{ ref('stg_refund_lines') }}
    where true
        {{ and_dirty('order_id') }}

),

orders as (

    select * from {{ ref('int_orders') }}
    where true
        {{ and_dirty('order_id') }}

),

order_lines as (

    select * from {{ ref('int_order_lines') }}
    where true
        {{ and_dirty('order_id') }}

),

sold_prices as (

    select
        order_id,
        product_id,
        max(unit_price_minor) as unit_price_minor

    from order_lines
    group by order_id, product_id

),

in_currency as (

    select
        refunds.*,
        orders.order_id is not null as order_known,
        orders.net_before_refunds_minor as order_net_minor,
        -- Who gives back is where, and came how, the order was placed; a server says that of itself at most.
        coalesce(orders.country, refunds.country) as order_country,
        orders.city,
        orders.channel,
        orders.coupon,
        {{ currency_code('coalesce(refunds.stated_currency, orders.currency)') }} as currency

    from refunds
    left join orders on refunds.order_id = orders.order_id

),

product_sums as (

    select
        in_currency.message_id,
        -- A returned product without a price is worth what the order says.
        sum(coalesce(
            {{ minor_units('refund_lines.price * refund_lines.quantity', 'in_currency.currency') }},
            sold_prices.unit_price_minor * refund_lines.quantity
        )) as products_minor

    from in_currency
    inner join refund_lines on in_currency.message_id = refund_lines.message_id
    left join sold_prices
        on in_currency.order_id = sold_prices.order_id
        and refund_lines.product_id = sold_prices.product_id
    group by in_currency.message_id

),

valued as (

    select
        in_currency.*,
        product_sums.products_minor,
        {{ minor_units('in_currency.subtotal', 'in_currency.currency') }} as subtotal_minor,
        {{ minor_units(
            'coalesce(in_currency.revenue, in_currency.total - coalesce(in_currency.shipping, 0) - coalesce(in_currency.tax, 0))',
            'in_currency.currency'
        ) }} as amount_minor

    from in_currency
    left join product_sums on in_currency.message_id = product_sums.message_id

),

final as (

    select
        message_id,
        order_id,
        user_id,
        occurred_at as refunded_at,
        currency,
        order_known,
        order_country as country,
        city,
        channel,
        coupon,
        case
            when subtotal_minor is not null then 'subtotal'
            when products_minor is not null then 'products'
            when amount_minor is not null then 'amount'
            when order_known then 'full_order'
            else 'unknown_order'
        end as refund_basis,
        cast(greatest(
            coalesce(subtotal_minor, products_minor, amount_minor, order_net_minor, 0), 0
        ) as bigint) as refund_minor

    from valued

)

select * from final
