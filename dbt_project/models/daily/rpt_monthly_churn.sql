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
        {{ dbt.dateadd('day', var('churn_days'), 'customer_days.day') }} as silent_until,
        lag(customer_days.day) over (partition by customer_days.user_id order by customer_days.day) as previous_day,
        lead(customer_days.day) over (partition by customer_days.user_id order by customer_days.day) as next_day

    from customer_days
    cross join as_of

),

-- Lost on the last of so many days without an order, if the data reaches that far; won back by a later order.
marked as (

    select
        user_id,
        day,
        cast(silent_until as date) as silent_until,
        previous_day is null as is_first,
        silent_until <= as_of_day and (next_day is null or next_day > silent_until) as is_lost

    from spells

),

first_month as (

    select cast({{ dbt.date_trunc('month', 'min(day)') }} as date) as month
    from customer_days

),

months as (

    select
        dates.day as month,
        cast({{ dbt.dateadd('month', 1, 'dates.day') }} as date) as next_month

    from dates
    cross join first_month
    cross join as_of
    where dates.day = dates.month
        and dates.day between first_month.month and as_of.day

),

counted as (

    select
        months.month,
        count(distinct marked.user_id) as active_customers,
        count(distinct case when marked.is_first and marked.day >= months.month then marked.user_id end) as new_customers,
        count(distinct case
            when marked.is_lost and marked.silent_until >= months.month and marked.silent_until < months.next_month
                then marked.user_id
        end) as churned_customers

    from months
    -- Active: an order in the month, or so shortly before it that the customer isn't lost when it begins.
    left join marked on marked.day < months.next_month and marked.silent_until >= months.month
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
