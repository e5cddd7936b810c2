-- The sessions of a visitor that turned out to be somebody, those in which nobody was logged in, are looked up by whose they
-- were: that index is there for the persons, and one more by visitor would be written all over by each run.
{{ config(
    key='session_id',
    unique_key='session_id',
    dirty_keys="
        {{ changed('int_events_sessionized', 'session_id') }}
        union all
        select session_id from {{ this }}
        where user_id is null
            and anonymous_id in ({{ changed('int_visitors', 'anonymous_id') }})
            and person_id = any(array(
                select {{ visitor_person('changed.anonymous_id') }}
                from ({{ changed('int_visitors', 'anonymous_id') }}) as changed (anonymous_id)
                union all
                {{ changed('int_visitors', 'person_id') }}
            ))
        union all
        {{ changed('fct_orders', 'session_id') }}
    ",
    emits={
        'session_id': 'session_id',
        'person_id': {'key': 'person_id', 'of': ['session_id', 'started_at', 'channel', 'landing_path']},
        'started_hour': {
            'key': 'started_hour',
            'of': ['session_id', 'channel', 'device', 'country', 'funnel_step', 'bounced'],
        },
    },
    indexes=[
        {'columns': ['started_hour']},
        {'columns': ['person_id', 'started_at', 'anonymous_id']},
        {'columns': ['ended_at']},
    ],
) }}

with

sessionized as (

    -- 156,000 sessions by its statistics, where there were ten million.
    select * from {{ ref('int_events_sessionized') }}
    where true
        {{ and_dirty_by_index('session_id') }}

),

-- An order counts in one session: where its first completion was sent.
orders as (

    select
        session_id,
        count(*) as orders

    from {{ ref('fct_orders') }}
    where session_id is not null
        {{ and_dirty_by_index('session_id') }}
    group by session_id

),

visitors as (

    select * from {{ ref('int_visitors') }}
    where anonymous_id in (select anonymous_id from sessionized)

),

sessions as (

    select
        sessionized.session_id,
        sessionized.anonymous_id,
        {{ first_known('sessionized.user_id', 'sessionized.occurred_at desc, sessionized.message_id desc') }} as user_id,
        min(sessionized.occurred_at) as started_at,
        max(sessionized.occurred_at) as ended_at,
        count(*) as events,
        count(*) filter (where sessionized.event_type = 'page') as page_views,
        count(*) filter (where sessionized.event_name = 'Product Viewed') as product_views,
        count(*) filter (where sessionized.event_name = 'Product Added') as cart_additions,
        count(*) filter (where sessionized.event_type = 'track' and sessionized.event_name != 'Product Viewed') as other_actions,
        count(*) filter (where sessionized.event_name = 'Checkout Started') > 0 as checkout_started,
        {{ first_known('sessionized.device', 'sessionized.occurred_at, sessionized.message_id') }} as device,
        {{ first_known('sessionized.country', 'sessionized.occurred_at, sessionized.message_id') }} as country,
        {{ first_known('sessionized.page_path', 'sessionized.occurred_at, sessionized.message_id') }} as landing_path,
        {{ first_known('sessionized.referrer', 'sessionized.occurred_at, sessionized.message_id') }} as referrer,
        {{ first_known('sessionized.utm_source', 'sessionized.occurred_at, sessionized.message_id') }} as utm_source,
        {{ first_known('lower(sessionized.utm_medium)', 'sessionized.occurred_at, sessionized.message_id') }} as utm_medium,
        {{ first_known('sessionized.utm_campaign', 'sessionized.occurred_at, sessionized.message_id') }} as utm_campaign

    from sessionized
    group by sessionized.session_id, sessionized.anonymous_id

),

final as (

    select
        sessions.session_id,
        sessions.anonymous_id,
        sessions.user_id,
        -- Who the visitor turned out to be, also in the sessions in which nobody was logged in.
        coalesce(sessions.user_id, visitors.user_id) as customer_id,
        coalesce(
            {{ customer_person('coalesce(sessions.user_id, visitors.user_id)') }}, {{ visitor_person('sessions.anonymous_id') }}
        ) as person_id,
        started_at,
        {{ utc_day('started_at') }} as started_on,
        {{ utc_hour('started_at') }} as started_hour,
        ended_at,
        {{ seconds_between('started_at', 'ended_at') }} as duration_s,
        events,
        page_views,
        product_views,
        cart_additions,
        checkout_started,
        coalesce(orders.orders, 0) as orders,
        orders.session_id is not null as converted,
        -- The furthest a visitor came. Who ordered also passed the steps before, whether or not they were tracked.
        case
            when orders.session_id is not null then 4
            when checkout_started then 3
            when cart_additions > 0 then 2
            when product_views > 0 then 1
            else 0
        end as funnel_step,
        -- One page and nothing done on it; a product's page sends a page call, a Product Viewed or both.
        page_views <= 1 and product_views <= 1 and other_actions = 0 as bounced,
        coalesce(device, 'unknown') as device,
        country,
        {{ channel('utm_source', 'utm_medium', 'referrer') }} as channel,
        utm_source,
        utm_medium,
        utm_campaign,
        landing_path

    from sessions
    left join visitors on sessions.anonymous_id = visitors.anonymous_id
    left join orders on sessions.session_id = orders.session_id

)

select * from final
