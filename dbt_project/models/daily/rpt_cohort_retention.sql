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

cohorts as (

    select
        cohort_month,
        count(*) as customers

    from firsts
    group by cohort_month

),

-- A month without an order of the cohort is a zero, not a gap.
months as (

    select
        cohorts.cohort_month,
        cohorts.customers,
        {{ dbt.datediff('cohorts.cohort_month', 'dates.day', 'month') }} as months_since,
        dates.day as month

    from cohorts
    cross join as_of
    inner join dates on dates.day between cohorts.cohort_month and as_of.day
    where dates.day = dates.month

),

activity as (

    select
        firsts.cohort_month,
        customer_months.month,
        count(distinct customer_months.user_id) as active_customers,
        sum(customer_months.orders) as orders

    from customer_months
    inner join firsts on customer_months.user_id = firsts.user_id
    where customer_months.orders > 0
    group by firsts.cohort_month, customer_months.month

),

final as (

    select
        months.cohort_month,
        cast(months.months_since as integer) as months_since,
        months.month,
        months.customers,
        coalesce(activity.active_customers, 0) as active_customers,
        cast(coalesce(activity.orders, 0) as bigint) as orders,
        {{ ratio('coalesce(activity.active_customers, 0)', 'months.customers') }} as retention_rate

    from months
    left join activity on months.cohort_month = activity.cohort_month and months.month = activity.month

)

select * from final
