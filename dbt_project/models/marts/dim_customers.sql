{{ config(
    key='user_id',
    unique_key='user_id',
    dirty_keys="
        {{ changed('int_customer_attributes', 'user_id') }}
        union all
        {{ changed('int_orders', 'user_id') }}
        union all
        {{ changed('dim_persons', 'customer_id') }}
    ",
    emits={'user_id': 'user_id'},
    cluster_by='last_seen_at',
) }}

with

attributes as (

    select * from {{ ref('int_customer_attributes') }}
    where true
        {{ and_dirty('user_id') }}

),

orders as (

    select * from {{ ref('int_orders') }}
    where user_id is not null
        {{ and_dirty('user_id') }}

),

-- Who visited has counted the visits already.
persons as (

    select * from {{ ref('dim_persons') }}
    where customer_id is not null
        {{ and_dirty_by_index('customer_id') }}

),

known as (

    select
        user_id,
        max(case when attribute = 'customer_name' then value end) as customer_name,
        max(case when attribute = 'email' then value end) as email,
        max(case when attribute = 'country' then value end) as country,
        max(case when attribute = 'city' then value end) as city,
        min(case when attribute = 'seen' then first_seen_at end) as first_seen_at,
        max(case when attribute = 'seen' then seen_at end) as last_seen_at

    from attributes
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

final as (

    select
        known.user_id,
        known.customer_name,
        known.email,
        known.country,
        known.city,
        known.first_seen_at,
        known.last_seen_at,
        order_sums.first_order_at,
        order_sums.last_order_at,
        coalesce(order_sums.orders, 0) as orders,
        coalesce(persons.visitors, 0) as visitors,
        coalesce(persons.sessions, 0) as sessions

    from known
    left join order_sums on known.user_id = order_sums.user_id
    left join persons on known.user_id = persons.customer_id

)

select * from final
