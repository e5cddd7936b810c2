{{ config(
    key='user_id',
    unique_key=['user_id', 'day', 'currency'],
    dirty_keys="
        {{ changed('fct_orders', 'user_id') }}
        union all
        {{ changed('fct_refunds', 'user_id') }}
        union all
        select user_id from {{ ref('fct_orders') }}
        where order_id in ({{ changed('fct_refunds', 'order_id') }})
    ",
    emits={'user_id': 'user_id', 'day': 'day'},
    indexes=[{'columns': ['user_id']}, {'columns': ['day']}],
    cluster_by='day',
) }}

with

orders as (

    select * from {{ ref('fct_orders') }}
    where user_id is not null
        {{ and_dirty('user_id') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}
    where order_known

),

refunds_of_unknown_orders as (

    select * from {{ ref('fct_refunds') }}
    where not order_known and user_id is not null
        {{ and_dirty('user_id') }}

),

-- A refund is the customer's whose order it is; the one it names only where the order isn't known.
movements as (

    select
        user_id,
        ordered_on as day,
        currency,
        1 as orders,
        units,
        gross_revenue_minor,
        discount_minor,
        0 as refund_minor

    from orders

    union all

    select
        orders.user_id,
        refunds.refunded_on as day,
        refunds.currency,
        0 as orders,
        0 as units,
        0 as gross_revenue_minor,
        0 as discount_minor,
        refunds.refund_minor

    from refunds
    inner join orders on refunds.order_id = orders.order_id

    union all

    select
        user_id,
        refunded_on as day,
        currency,
        0 as orders,
        0 as units,
        0 as gross_revenue_minor,
        0 as discount_minor,
        refund_minor

    from refunds_of_unknown_orders

),

daily as (

    select
        user_id,
        day,
        currency,
        sum(orders) as orders,
        sum(units) as units,
        sum(gross_revenue_minor) as gross_revenue_minor,
        sum(discount_minor) as discount_minor,
        sum(refund_minor) as refund_minor

    from movements
    group by user_id, day, currency

),

firsts as (

    select
        user_id,
        min(ordered_on) as first_order_on

    from orders
    group by user_id

),

final as (

    select
        daily.user_id,
        daily.day,
        daily.currency,
        case when daily.day = firsts.first_order_on then 'new' else 'returning' end as customer_type,
        cast(daily.orders as bigint) as orders,
        cast(daily.units as bigint) as units,
        cast(daily.gross_revenue_minor as bigint) as gross_revenue_minor,
        cast(daily.discount_minor as bigint) as discount_minor,
        cast(daily.refund_minor as bigint) as refund_minor,
        cast(daily.gross_revenue_minor - daily.discount_minor - daily.refund_minor as bigint) as net_revenue_minor

    from daily
    left join firsts on daily.user_id = firsts.user_id

)

select * from final
