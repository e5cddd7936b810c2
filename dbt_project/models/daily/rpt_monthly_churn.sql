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
        {{ month_of('customer_days.day') }} as month,
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
        month,
        cast(silent_until as date) as silent_until,
        previous_day is null as is_first,
        silent_until <= as_of_day and (next_day is null or next_day > silent_until) as is_lost

    from spells

),

numbers as (

    {{ dbt.generate_series(var('churn_days') // 28 + 2) }}

),

-- Each month in which, or so shortly before which, there was the order: the customer isn't lost when it begins.
active as (

    select
        marked.user_id,
        marked.day,
        marked.silent_until,
        marked.is_first,
        marked.is_lost,
        cast({{ dbt.dateadd('month', 'cast(numbers.generated_number as integer) - 1', 'marked.month') }} as date) as month

    from marked
    cross join numbers

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
        count(distinct active.user_id) as active_customers,
        count(distinct case when active.is_first and active.day >= months.month then active.user_id end) as new_customers,
        count(distinct case
            when active.is_lost and active.silent_until < months.next_month then active.user_id
        end) as churned_customers

    from months
    left join active on months.month = active.month and months.month <= active.silent_until
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
