{{ config(
    key='payment_key',
    unique_key='payment_id',
    dirty_keys="
        {{ changed('stg_payments', 'payment_key') }}
        union all
        {{ changed('int_orders', 'order_id') }}
        union all
        {{ changed('stg_checkouts', 'order_id') }}
    ",
    emits={'attempted_on': 'attempted_on', 'attempted_hour': 'attempted_hour'},
    indexes=[{'columns': ['payment_key']}, {'columns': ['attempted_on']}, {'columns': ['attempted_hour']}],
    cluster_by='attempted_at',
) }}

with

events as (

    select * from {{ ref('stg_payments') }}
    where true
        {{ and_dirty('payment_key') }}

),

orders as (

    select * from {{ ref('int_orders') }}
    where true
        {{ and_dirty('order_id') }}

),

checkouts as (

    select
        *,
        row_number() over (partition by order_id order by occurred_at desc, message_id desc) as recency

    from {{ ref('stg_checkouts') }}
    where order_id is not null
        {{ and_dirty('order_id') }}

),

in_turn as (

    select
        *,
        coalesce(
            lag(event_name) over (partition by payment_key order by occurred_at, message_id), 'nothing'
        ) as previous_event,
        coalesce(
            lead(event_name) over (partition by payment_key order by occurred_at, message_id), 'nothing'
        ) as next_event,
        lead(reason) over (partition by payment_key order by occurred_at, message_id) as next_reason

    from events

),

attempts as (

    select
        message_id,
        payment_key,
        occurred_at as attempted_at,
        user_id,
        payment_method,
        'Payment Failed' in (event_name, next_event) as failed,
        case when event_name = 'Payment Failed' then reason when next_event = 'Payment Failed' then next_reason end
            as failure_reason

    from in_turn
    -- A failure ends the attempt before it; without one, it tells of an attempt that is lost.
    where event_name = 'Payment Info Entered' or previous_event != 'Payment Info Entered'

),

ranked as (

    select
        *,
        row_number() over (partition by payment_key, failed order by attempted_at desc, message_id desc) as recency

    from attempts

),

judged as (

    select
        message_id,
        payment_key,
        attempted_at,
        user_id,
        payment_method,
        failure_reason,
        case
            when failed then 'failed'
            when recency = 1 and payment_key in (select order_id from orders) then 'paid'
            else 'abandoned'
        end as outcome

    from ranked

),

-- Each order was paid somehow: one whose attempt nobody told of is an attempt of its own.
complete as (

    select * from judged

    union all

    select
        orders.message_id,
        orders.order_id as payment_key,
        orders.ordered_at as attempted_at,
        orders.user_id,
        null as payment_method,
        null as failure_reason,
        'paid' as outcome

    from orders
    left join judged on orders.order_id = judged.payment_key and judged.outcome = 'paid'
    where judged.payment_key is null

),

final as (

    select
        complete.message_id as payment_id,
        complete.payment_key,
        orders.order_id,
        complete.attempted_at,
        {{ utc_day('complete.attempted_at') }} as attempted_on,
        {{ utc_hour('complete.attempted_at') }} as attempted_hour,
        row_number() over (
            partition by complete.payment_key order by complete.attempted_at, complete.message_id
        ) as attempt_number,
        complete.user_id,
        coalesce(complete.payment_method, 'unknown') as payment_method,
        complete.outcome,
        complete.failure_reason,
        {{ currency_code('coalesce(orders.currency, checkouts.currency)') }} as currency,
        case
            when orders.order_id is not null
                then coalesce(
                    orders.stated_total_minor,
                    orders.net_before_refunds_minor + orders.shipping_minor + orders.tax_minor
                )
            else checkouts.value_minor
        end as amount_minor

    from complete
    left join orders on complete.payment_key = orders.order_id
    left join checkouts on complete.payment_key = checkouts.order_id and checkouts.recency = 1

)

select * from final
