with

customer_months as (

    select * from {{ ref('fct_customer_months') }}

),

as_of as (

    select * from {{ ref('rpt_as_of') }}

),

customers as (

    select
        user_id,
        currency,
        max(last_order_on) as last_order_on,
        sum(orders) as orders,
        sum(net_revenue_minor) as net_revenue_minor

    from customer_months
    group by user_id, currency
    having sum(orders) > 0

),

-- Ranks, not tiles: customers with the same value have the same score, and that of the first of them. So those with one
-- order are at 1, however many they are.
ranked as (

    select
        *,
        count(*) over (partition by currency) as customers,
        rank() over (partition by currency order by last_order_on) as r_rank,
        rank() over (partition by currency order by orders) as f_rank,
        rank() over (partition by currency order by net_revenue_minor) as m_rank

    from customers

),

scored as (

    select
        *,
        cast(1 + floor(5.0 * (r_rank - 1) / customers) as integer) as r_score,
        cast(1 + floor(5.0 * (f_rank - 1) / customers) as integer) as f_score,
        cast(1 + floor(5.0 * (m_rank - 1) / customers) as integer) as m_score

    from ranked

),

final as (

    select
        scored.user_id,
        scored.currency,
        cast({{ dbt.datediff('scored.last_order_on', 'as_of.day', 'day') }} as integer) as recency_days,
        cast(scored.orders as bigint) as frequency,
        {{ major_units('scored.net_revenue_minor', 'scored.currency') }} as monetary,
        scored.r_score,
        scored.f_score,
        scored.m_score,
        {{ rfm_segment('scored.r_score', 'scored.f_score') }} as segment

    from scored
    cross join as_of

)

select * from final
