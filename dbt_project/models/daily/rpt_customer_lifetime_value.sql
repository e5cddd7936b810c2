-- Orders to come, by the mean of a gamma-Poisson model: (1 + repeat orders) / (1 / mean rate + days observed) a day.
-- What the others do counts as one order's worth of evidence; silence lowers the rate day by day.
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
        min(first_order_on) as first_order_on,
        max(last_order_on) as last_order_on,
        sum(orders) as orders,
        sum(net_revenue_minor) as net_revenue_minor

    from customer_months
    group by user_id, currency
    having sum(orders) > 0

),

observed as (

    select
        customers.*,
        orders - 1 as repeat_orders,
        {{ dbt.datediff('customers.first_order_on', 'as_of.day', 'day') }} as days

    from customers
    cross join as_of

),

with_mean as (

    select
        *,
        sum(repeat_orders) over (partition by currency) as all_repeat_orders,
        sum(days) over (partition by currency) as all_days

    from observed

),

-- The prediction for a year as one fraction, so that it is rounded once.
predicted as (

    select
        *,
        365 * (1 + repeat_orders) * all_repeat_orders as part,
        all_days + days * all_repeat_orders as whole,
        -- Nobody has ever come back, or all came today: nothing is known of the next order.
        all_repeat_orders = 0 or all_days = 0 as unknown

    from with_mean

),

final as (

    select
        user_id,
        currency,
        first_order_on,
        last_order_on,
        cast(orders as bigint) as orders,
        {{ major_units('net_revenue_minor', 'currency') }} as historic_value,
        {{ major_units(quotient('net_revenue_minor', 'orders'), 'currency') }} as average_net_value,
        cast(
            case when unknown then 0 else {{ quotient('part', 'nullif(whole, 0)') }} end as numeric(12, 4)
        ) as predicted_orders_12m,
        -- Who gave back more than was bought is worth nothing, not less.
        {{ major_units(
            'case when unknown then 0 else '
            ~ quotient('part * greatest(net_revenue_minor, 0)', 'nullif(whole * orders, 0)') ~ ' end',
            'currency'
        ) }} as predicted_value_12m

    from predicted

)

select * from final
