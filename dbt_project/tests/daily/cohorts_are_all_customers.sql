-- Each customer with an order is in one cohort; each cohort's months are there without a gap.
with

customers as (

    select count(distinct user_id) as customers
    from {{ ref('fct_orders') }}

),

cohorts as (

    select
        coalesce(sum(case when months_since = 0 then customers end), 0) as customers,
        sum(orders) as orders

    from {{ ref('rpt_cohort_retention') }}

),

gaps as (

    select coalesce(sum(missing), 0) as missing
    from (
        select max(months_since) + 1 - count(*) as missing
        from {{ ref('rpt_cohort_retention') }}
        group by cohort_month
    ) as months

),

orders as (

    select count(*) as orders
    from {{ ref('fct_orders') }}
    where user_id is not null

)

select
    customers.customers,
    cohorts.customers as cohort_customers,
    orders.orders,
    cohorts.orders as cohort_orders,
    gaps.missing
from customers
cross join cohorts
cross join orders
cross join gaps
where customers.customers != cohorts.customers
    or orders.orders != coalesce(cohorts.orders, 0)
    or gaps.missing != 0
