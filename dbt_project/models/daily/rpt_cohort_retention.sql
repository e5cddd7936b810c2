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

numbers as (

    {{ dbt.generate_series(1200) }}

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
        numbers.generated_number - 1 as months_since,
        cast({{ dbt.dateadd('month', 'cast(numbers.generated_number as integer) - 1', 'cohorts.cohort_month') }} as date) as month

    from cohorts
    cross join numbers
    cross join as_of
    where {{ dbt.dateadd('month', 'cast(numbers.generated_number as integer) - 1', 'cohorts.cohort_month') }} <= as_of.day

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
