with

orders as (

    select * from {{ ref('int_orders') }}

),

sessionized as (

    select * from {{ ref('int_events_sessionized') }}

),

final as (

    select
        orders.order_id,
        orders.message_id,
        orders.ordered_at,
        {{ utc_day('orders.ordered_at') }} as ordered_on,
        orders.user_id,
        orders.anonymous_id,
        sessionized.session_id,
        orders.country,
        orders.coupon,
        orders.currency,
        orders.lines,
        orders.units,
        orders.gross_revenue_minor,
        orders.discount_minor,
        orders.net_before_refunds_minor,
        orders.shipping_minor,
        orders.tax_minor,
        -- What the customer paid is what the shop says it charged; our sum only where it doesn't say.
        coalesce(
            orders.stated_total_minor,
            orders.net_before_refunds_minor + orders.shipping_minor + orders.tax_minor
        ) as total_minor

    from orders
    left join sessionized on orders.message_id = sessionized.message_id

)

select * from final
