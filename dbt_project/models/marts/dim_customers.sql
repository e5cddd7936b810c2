{{ config(
    key='user_id',
    unique_key='user_id',
    dirty_keys="
        {{ changed('stg_events', 'user_id') }}
        union all
        {{ changed('stg_identifies', 'user_id') }}
        union all
        {{ changed('int_orders', 'user_id') }}
        union all
        {{ changed('fct_sessions', 'customer_id') }}
    ",
    emits={'user_id': 'user_id'},
) }}

with

events as (

    select * from {{ ref('stg_events') }}
    where user_id is not null
        {{ and_dirty('user_id') }}

),

identifies as (

    select * from {{ ref('stg_identifies') }}
    where true
        {{ and_dirty('user_id') }}

),

orders as (

    select * from {{ ref('int_orders') }}
    where user_id is not null
        {{ and_dirty('user_id') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}
    where customer_id is not null
        {{ and_dirty('customer_id') }}

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
    group by user_id

),

session_sums as (

    select
        customer_id,
        count(distinct anonymous_id) as visitors,
        count(*) as sessions

    from sessions
    group by customer_id

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
        coalesce(order_sums.orders, 0) as orders,
        coalesce(session_sums.visitors, 0) as visitors,
        coalesce(session_sums.sessions, 0) as sessions

    from seen
    left join traits on seen.user_id = traits.user_id
    left join order_sums on seen.user_id = order_sums.user_id
    left join session_sums on seen.user_id = session_sums.customer_id

)

select * from final
