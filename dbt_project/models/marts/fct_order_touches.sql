-- A session touches the orders that its person completed within the window after it. Found from both sides by person
-- and time, so that a new session asks for the few orders near it, not for all of its person's.
{{ config(
    key='order_id',
    unique_key=['order_id', 'touch_number'],
    dirty_keys="
        {{ changed('fct_orders', 'order_id') }}
        union all
        select order_id from {{ this }}
        where session_id in ({{ changed('fct_sessions', 'session_id') }})
        union all
        select order_id from {{ ref('fct_orders') }}
        where session_id in ({{ changed('fct_sessions', 'session_id') }})
        union all
        select touched.order_id
        from {{ ref('fct_sessions') }} as sessions
        inner join {{ this }} as touched
            on sessions.person_id = touched.person_id
            and touched.ordered_at between sessions.started_at
                and {{ dbt.dateadd('day', var('attribution_days'), 'sessions.started_at') }}
        where sessions.session_id in ({{ changed('fct_sessions', 'session_id') }})
    ",
    emits={'ordered_on': 'ordered_on'},
    indexes=[{'columns': ['order_id']}, {'columns': ['session_id']}, {'columns': ['person_id', 'ordered_at']},
        {'columns': ['ordered_on']}],
    cluster_by='ordered_at',
) }}

with

orders as (

    select * from {{ ref('fct_orders') }}
    where true
        {{ and_dirty('order_id') }}

),

-- Twice, once a use: what is used twice is computed wholly, all sessions of all time.
own_sessions as (

    select * from {{ ref('fct_sessions') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

-- Who ordered: the person of the order's session; where a server sent it, the customer it names.
owned as (

    select
        orders.order_id,
        orders.ordered_at,
        orders.ordered_on,
        orders.currency,
        orders.net_before_refunds_minor as revenue_minor,
        coalesce(own_sessions.person_id, {{ customer_person('orders.user_id') }}) as person_id

    from orders
    left join own_sessions on orders.session_id = own_sessions.session_id

),

numbered as (

    select
        owned.*,
        sessions.session_id,
        sessions.started_at,
        -- An order that no session led to still counts: under no channel.
        coalesce(sessions.channel, 'unknown') as channel,
        row_number() over (
            partition by owned.order_id order by sessions.started_at, sessions.session_id
        ) as touch_number,
        count(*) over (partition by owned.order_id) as touches

    from owned
    left join sessions
        on owned.person_id = sessions.person_id
        and sessions.started_at between {{ dbt.dateadd('day', -var('attribution_days'), 'owned.ordered_at') }}
            and owned.ordered_at

),

final as (

    select
        order_id,
        touch_number,
        touches,
        session_id,
        person_id,
        started_at,
        ordered_at,
        ordered_on,
        channel,
        touch_number = 1 as is_first_touch,
        touch_number = touches as is_last_touch,
        currency,
        revenue_minor,
        -- Rounded on the running sum, so that the parts of an order add up to it exactly.
        cast(
            round({{ quotient('touch_number', 'touches') }}, 4) - round({{ quotient('touch_number - 1', 'touches') }}, 4)
            as numeric(9, 4)
        ) as linear_orders,
        cast(
            round({{ quotient('1.0 * revenue_minor * touch_number', 'touches') }})
            - round({{ quotient('1.0 * revenue_minor * (touch_number - 1)', 'touches') }}) as bigint
        ) as linear_revenue_minor

    from numbered

)

select * from final
