-- Each customer's money, counted anew over all days.
with

orders as (

    select
        user_id,
        currency,
        count(*) as orders,
        sum(net_before_refunds_minor) as net_minor

    from {{ ref('fct_orders') }}
    where user_id is not null
    group by user_id, currency

),

refunds as (

    select
        case when refunds.order_known then orders.user_id else refunds.user_id end as user_id,
        refunds.currency,
        sum(refunds.refund_minor) as refund_minor

    from {{ ref('fct_refunds') }} as refunds
    left join {{ ref('fct_orders') }} as orders on refunds.order_id = orders.order_id
    group by case when refunds.order_known then orders.user_id else refunds.user_id end, refunds.currency

),

facts as (

    select
        user_id,
        currency,
        coalesce(orders.orders, 0) as orders,
        coalesce(orders.net_minor, 0) - coalesce(refunds.refund_minor, 0) as net_minor

    from orders
    full join refunds using (user_id, currency)
    where user_id is not null

),

customer_days as (

    select
        user_id,
        currency,
        sum(orders) as orders,
        sum(net_revenue_minor) as net_minor

    from {{ ref('fct_customer_days') }}
    group by user_id, currency

),

customer_months as (

    select
        user_id,
        currency,
        sum(orders) as orders,
        sum(net_revenue_minor) as net_minor

    from {{ ref('fct_customer_months') }}
    group by user_id, currency

)

(select 'only in facts' as found, * from facts except all select 'only in facts', * from customer_days)
union all
(select 'only in days' as found, * from customer_days except all select 'only in days', * from facts)
union all
(select 'only in months' as found, * from customer_months except all select 'only in months', * from facts)
