{{ config(
    key='order_id',
    unique_key='order_id',
    dirty_keys="
        {{ changed('int_orders', 'order_id') }}
        union all
        select order_id from {{ ref('int_orders') }}
        where message_id in ({{ changed('int_events_sessionized', 'order_message_id') }})
    ",
    emits={
        'order_id': 'order_id',
        'ordered_on': 'ordered_on',
        'ordered_hour': 'ordered_hour',
        'user_id': 'user_id',
        'session_id': 'session_id',
    },
    indexes=[
        {'columns': ['ordered_on']},
        {'columns': ['ordered_hour']},
        {'columns': ['user_id']},
        {'columns': ['session_id']},
    ],
    cluster_by='ordered_at',
) }}

with

orders as (

    select * from {{ ref('int_orders') }}
    where true
        {{ and_dirty('order_id') }}

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
        {{ utc_hour('orders.ordered_at') }} as ordered_hour,
        orders.user_id,
        orders.anonymous_id,
        sessionized.session_id,
        orders.country,
        orders.city,
        orders.channel,
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
    -- By day and visitor too, which is what the events are found by.
    left join sessionized
        on {{ utc_day('orders.ordered_at') }} = {{ utc_day('sessionized.occurred_at') }}
        and orders.anonymous_id = sessionized.anonymous_id
        and orders.ordered_at = sessionized.occurred_at
        and orders.message_id = sessionized.message_id

)

select * from final
