with

customer_days as (

    select distinct
        user_id,
        day

    from {{ ref('fct_customer_days') }}
    where orders > 0

),

as_of as (

    select * from {{ ref('rpt_as_of') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

spells as (

    select
        customer_days.user_id,
        customer_days.day,
        as_of.day as as_of_day,
        {{ add_days('customer_days.day', var('churn_days')) }} as silent_until,
        lag(customer_days.day) over (partition by customer_days.user_id order by customer_days.day) as previous_day,
        lead(customer_days.day) over (partition by customer_days.user_id order by customer_days.day) as next_day

    from customer_days
    cross join as_of

),

-- Lost on the last of so many days without an order, if the data reaches that far; won back by a later order.
marked as (

    select
        user_id,
        {{ month_of('day') }} as month,
        {{ month_of('silent_until') }} as last_month,
        -- Without those that the order before reaches: a month counts a customer once.
        greatest(
            {{ month_of('day') }},
            {{ add_months(month_of(add_days('previous_day', var('churn_days'))), 1) }}
        ) as first_active_month,
        previous_day is null as is_first,
        silent_until <= as_of_day and (next_day is null or next_day > silent_until) as is_lost

    from spells

),

numbers as (

    {{ dbt.generate_series(var('churn_days') // 28 + 2) }}

),

-- Counted before months are made of them: there are as many spans as months, not as orders.
spans as (

    select
        first_active_month,
        last_month,
        count(*) as customers

    from marked
    group by first_active_month, last_month

),

-- Active is a customer in the month of an order and in each that begins before they would be lost.
marks as (

    select
        {{ add_months('spans.first_active_month', 'cast(numbers.generated_number as integer) - 1') }} as month,
        spans.customers as active,
        0 as new,
        0 as lost

    from spans
    cross join numbers
    where {{ add_months('spans.first_active_month', 'cast(numbers.generated_number as integer) - 1') }} <= spans.last_month

    union all

    select
        month,
        0 as active,
        count(*) as new,
        0 as lost

    from marked
    where is_first
    group by month

    union all

    select
        last_month as month,
        0 as active,
        0 as new,
        count(distinct user_id) as lost

    from marked
    where is_lost
    group by last_month

),

first_month as (

    select {{ month_of('min(day)') }} as month
    from customer_days

),

months as (

    select dates.day as month
    from dates
    cross join first_month
    cross join as_of
    where dates.day = dates.month
        and dates.day between first_month.month and as_of.day

),

counted as (

    select
        months.month,
        cast(coalesce(sum(marks.active), 0) as bigint) as active_customers,
        cast(coalesce(sum(marks.new), 0) as bigint) as new_customers,
        cast(coalesce(sum(marks.lost), 0) as bigint) as churned_customers

    from months
    left join marks on months.month = marks.month
    group by months.month

),

final as (

    select
        month,
        active_customers,
        new_customers,
        churned_customers,
        {{ ratio('churned_customers', 'active_customers') }} as churn_rate

    from counted

)

select * from final
