{{ config(
    key='day',
    unique_key=['day', 'customer_type', 'currency'],
    dirty_keys="
        {{ changed('fct_customer_days', 'day', 'date') }}
        union all
        {{ changed('fct_orders', 'ordered_on', 'date') }}
        union all
        {{ changed('fct_refunds', 'refunded_on', 'date') }}
    ",
) }}

with

customer_days as (

    select * from {{ ref('fct_customer_days') }}
    where true
        {{ and_dirty('day') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where user_id is null
        {{ and_dirty('ordered_on') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}
    where true
        {{ and_dirty('refunded_on') }}

),

refunded_orders as (

    select * from {{ ref('fct_orders') }}
    where order_id in (select order_id from refunds)

),

movements as (

    select
        day,
        customer_type,
        currency,
        case when orders > 0 then 1 else 0 end as customers,
        orders,
        gross_revenue_minor,
        discount_minor,
        refund_minor

    from customer_days

    union all

    -- Nobody knows whether two orders without a customer are of one: each is a guest.
    select
        ordered_on as day,
        'guest' as customer_type,
        currency,
        1 as customers,
        1 as orders,
        gross_revenue_minor,
        discount_minor,
        0 as refund_minor

    from orders

    union all

    select
        refunds.refunded_on as day,
        'guest' as customer_type,
        refunds.currency,
        0 as customers,
        0 as orders,
        0 as gross_revenue_minor,
        0 as discount_minor,
        refunds.refund_minor

    from refunds
    left join refunded_orders on refunds.order_id = refunded_orders.order_id
    where (case when refunds.order_known then refunded_orders.user_id else refunds.user_id end) is null

),

summed as (

    select
        day,
        customer_type,
        currency,
        sum(customers) as customers,
        sum(orders) as orders,
        sum(gross_revenue_minor) as gross_revenue_minor,
        sum(discount_minor) as discount_minor,
        sum(refund_minor) as refund_minor

    from movements
    group by day, customer_type, currency

),

final as (

    select
        day,
        customer_type,
        currency,
        cast(customers as bigint) as customers,
        cast(orders as bigint) as orders,
        {{ major_units('gross_revenue_minor', 'currency') }} as gross_revenue,
        {{ major_units('discount_minor', 'currency') }} as discounts,
        {{ major_units('refund_minor', 'currency') }} as refunds,
        {{ major_units('gross_revenue_minor - discount_minor - refund_minor', 'currency') }} as net_revenue,
        {{ major_units(quotient('gross_revenue_minor - discount_minor', 'nullif(orders, 0)'), 'currency') }} as average_order_value

    from summed

)

select * from final
