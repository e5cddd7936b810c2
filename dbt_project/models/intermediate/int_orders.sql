{{ config(
    key='order_id',
    unique_key='order_id',
    dirty_keys="
        {{ changed('stg_orders', 'order_id') }}
        union all
        {{ changed('stg_order_lines', 'order_id') }}
    ",
    emits={'order_id': 'order_id', 'user_id': 'user_id'},
    indexes=[
        {'columns': ['order_id'], 'unique': true},
        {'columns': ['message_id']},
        {'columns': ['user_id']},
    ],
    cluster_by='ordered_at',
) }}

with

orders as (

    select * from {{ ref('stg_orders') }}
    where true
        {{ and_dirty('order_id') }}

),

order_lines as (

    select * from {{ ref('stg_order_lines') }}
    where true
        {{ and_dirty('order_id') }}

),

-- A shop may complete an order twice, say in the browser and on the server, under two message ids. It sold once.
ranked as (

    select
        *,
        row_number() over (partition by order_id order by occurred_at, message_id) as completion

    from orders

),

line_sums as (

    select
        message_id,
        count(*) as lines,
        sum(quantity) as units,
        sum(gross_minor) as gross_minor

    from order_lines
    group by message_id

),

final as (

    select
        ranked.order_id,
        ranked.message_id,
        ranked.user_id,
        ranked.anonymous_id,
        ranked.occurred_at as ordered_at,
        ranked.currency,
        coalesce(line_sums.lines, 0) as lines,
        cast(coalesce(line_sums.units, 0) as bigint) as units,
        cast(coalesce(line_sums.gross_minor, 0) as bigint) as gross_revenue_minor,
        ranked.discount_minor,
        cast(coalesce(line_sums.gross_minor, 0) - ranked.discount_minor as bigint) as net_before_refunds_minor,
        ranked.shipping_minor,
        ranked.tax_minor,
        ranked.stated_total_minor,
        ranked.coupon,
        ranked.fulfilment_centre,
        ranked.country,
        ranked.city,
        ranked.channel

    from ranked
    left join line_sums on ranked.message_id = line_sums.message_id
    where ranked.completion = 1

)

select * from final
