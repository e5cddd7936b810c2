with

events as (

    select * from {{ ref('stg_events') }}
    where user_id is not null

),

identifies as (

    select * from {{ ref('stg_identifies') }}

),

orders as (

    select * from {{ ref('int_orders') }}

),

seen as (

    select
        user_id,
        min(occurred_at) as first_seen_at,
        max(occurred_at) as last_seen_at

    from events
    group by user_id

),

traits as (

    select
        user_id,
        {{ first_known('customer_name', 'occurred_at desc, message_id desc') }} as customer_name,
        {{ first_known('email', 'occurred_at desc, message_id desc') }} as email,
        {{ first_known('country', 'occurred_at desc, message_id desc') }} as country,
        {{ first_known('city', 'occurred_at desc, message_id desc') }} as city

    from identifies
    group by user_id

),

order_sums as (

    select
        user_id,
        min(ordered_at) as first_order_at,
        max(ordered_at) as last_order_at,
        count(*) as orders

    from orders
    where user_id is not null
    group by user_id

),

final as (

    select
        seen.user_id,
        traits.customer_name,
        traits.email,
        traits.country,
        traits.city,
        seen.first_seen_at,
        seen.last_seen_at,
        order_sums.first_order_at,
        order_sums.last_order_at,
        coalesce(order_sums.orders, 0) as orders

    from seen
    left join traits on seen.user_id = traits.user_id
    left join order_sums on seen.user_id = order_sums.user_id

)

select * from final
