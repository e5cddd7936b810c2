with

orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select
        order_id,
        currency,
        sum(refund_minor) as refund_minor

    from {{ ref('fct_refunds') }}
    group by order_id, currency

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

customer_months as (

    select * from {{ ref('fct_customer_months') }}

),

-- What of its gross an order kept; a line keeps the same share.
kept as (

    select
        orders.order_id,
        orders.net_before_refunds_minor - coalesce(refunds.refund_minor, 0) as net_minor,
        nullif(orders.gross_revenue_minor, 0) as gross_minor

    from orders
    left join refunds on orders.order_id = refunds.order_id and orders.currency = refunds.currency

),

members as (

    select
        'customer' as subject,
        currency,
        user_id as member,
        cast(sum(net_revenue_minor) as numeric(38, 6)) as net_minor

    from customer_months
    group by currency, user_id
    having sum(orders) > 0

    union all

    select
        'product' as subject,
        order_lines.currency,
        order_lines.product_id as member,
        cast(
            sum(coalesce({{ quotient('1.0 * order_lines.gross_minor * kept.net_minor', 'kept.gross_minor') }}, 0))
            as numeric(38, 6)
        ) as net_minor

    from order_lines
    inner join kept on order_lines.order_id = kept.order_id
    group by order_lines.currency, order_lines.product_id

),

ranked as (

    select
        *,
        greatest(net_minor, 0) as positive_minor,
        count(*) over (partition by subject, currency) as members,
        row_number() over (partition by subject, currency order by net_minor desc, member) as place,
        row_number() over (partition by subject, currency order by net_minor, member desc) as place_from_below

    from members

),

-- Gini's coefficient of the sorted amounts; who gave back more than was bought counts as nothing.
inequality as (

    select
        subject,
        currency,
        cast(
            {{ quotient(
                '2 * sum(place_from_below * positive_minor) - (max(members) + 1) * sum(positive_minor)',
                'nullif(max(members) * sum(positive_minor), 0)'
            ) }} as numeric(9, 4)
        ) as gini

    from ranked
    group by subject, currency

),

deciles as (

    select
        subject,
        currency,
        cast(1 + floor(10.0 * (place - 1) / members) as integer) as decile,
        count(*) as members,
        sum(net_minor) as net_minor

    from ranked
    group by subject, currency, cast(1 + floor(10.0 * (place - 1) / members) as integer)

),

cumulated as (

    select
        *,
        {{ ratio(
            'sum(net_minor) over (partition by subject, currency order by decile)',
            'sum(net_minor) over (partition by subject, currency)'
        ) }} as cumulative_share

    from deciles

),

final as (

    select
        cumulated.subject,
        cumulated.currency,
        cumulated.decile,
        cumulated.members,
        {{ major_units('cumulated.net_minor', 'cumulated.currency') }} as net_revenue,
        -- From the running share, so that the shares add up to one exactly.
        cast(
            cumulated.cumulative_share - lag(cumulated.cumulative_share, 1, 0.0) over (
                partition by cumulated.subject, cumulated.currency order by cumulated.decile
            ) as numeric(9, 4)
        ) as share,
        cumulated.cumulative_share,
        inequality.gini

    from cumulated
    inner join inequality on cumulated.subject = inequality.subject and cumulated.currency = inequality.currency

)

select * from final
