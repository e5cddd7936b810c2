with

customer_months as (

    select * from {{ ref('fct_customer_months') }}

),

as_of as (

    select * from {{ ref('rpt_as_of') }}

),

firsts as (

    select
        user_id,
        cast({{ dbt.date_trunc('month', 'min(first_order_on)') }} as date) as cohort_month

    from customer_months
    where orders > 0
    group by user_id

),

dates as (

    select * from {{ ref('dim_dates') }}

),

-- A refund before a customer's first order, of an order that isn't known, counts in the cohort's first month: no cohort
-- was there before.
revenue as (

    select
        firsts.cohort_month,
        greatest(customer_months.month, firsts.cohort_month) as month,
        customer_months.currency,
        sum(customer_months.orders) as orders,
        sum(customer_months.gross_revenue_minor) as gross_revenue_minor,
        sum(customer_months.discount_minor) as discount_minor,
        sum(customer_months.refund_minor) as refund_minor,
        sum(customer_months.net_revenue_minor) as net_revenue_minor

    from customer_months
    inner join firsts on customer_months.user_id = firsts.user_id
    group by
        firsts.cohort_month, greatest(customer_months.month, firsts.cohort_month), customer_months.currency

),

cohorts as (

    select distinct
        cohort_month,
        currency

    from revenue

),

months as (

    select
        cohorts.cohort_month,
        cohorts.currency,
        {{ dbt.datediff('cohorts.cohort_month', 'dates.day', 'month') }} as months_since,
        dates.day as month

    from cohorts
    cross join as_of
    inner join dates on dates.day between cohorts.cohort_month and as_of.day
    where dates.day = dates.month

),

final as (

    select
        months.cohort_month,
        cast(months.months_since as integer) as months_since,
        months.month,
        months.currency,
        cast(coalesce(revenue.orders, 0) as bigint) as orders,
        {{ major_units('coalesce(revenue.gross_revenue_minor, 0)', 'months.currency') }} as gross_revenue,
        {{ major_units('coalesce(revenue.discount_minor, 0)', 'months.currency') }} as discounts,
        {{ major_units('coalesce(revenue.refund_minor, 0)', 'months.currency') }} as refunds,
        {{ major_units('coalesce(revenue.net_revenue_minor, 0)', 'months.currency') }} as net_revenue,
        {{ major_units(
            'sum(coalesce(revenue.net_revenue_minor, 0)) over ('
            'partition by months.cohort_month, months.currency order by months.month)',
            'months.currency'
        ) }} as cumulative_net_revenue

    from months
    left join revenue
        on months.cohort_month = revenue.cohort_month
        and months.month = revenue.month
        and months.currency = revenue.currency

)

select * from final
