-- Carts and checkouts are the funnel's second and third step; what wasn't abandoned is its fourth.
with

carts as (

    select
        day,
        sum(carts) as carts,
        sum(checkouts) as checkouts,
        sum(carts - abandoned_carts) as cart_orders,
        sum(checkouts - abandoned_checkouts) as checkout_orders

    from {{ ref('rpt_daily_abandonment') }}
    group by day

),

funnel as (

    select
        day,
        sum(case when step_number = 2 then sessions end) as carts,
        sum(case when step_number = 3 then sessions end) as checkouts,
        sum(case when step_number = 4 then sessions end) as orders

    from {{ ref('rpt_daily_funnel') }}
    group by day

)

select
    funnel.day,
    funnel.carts as funnel_carts,
    carts.carts,
    funnel.checkouts as funnel_checkouts,
    carts.checkouts,
    funnel.orders as funnel_orders,
    carts.cart_orders,
    carts.checkout_orders
from funnel
full join carts on funnel.day = carts.day
where coalesce(funnel.carts, 0) != coalesce(carts.carts, 0)
    or coalesce(funnel.checkouts, 0) != coalesce(carts.checkouts, 0)
    or coalesce(funnel.orders, 0) != coalesce(carts.cart_orders, 0)
    or coalesce(funnel.orders, 0) != coalesce(carts.checkout_orders, 0)
