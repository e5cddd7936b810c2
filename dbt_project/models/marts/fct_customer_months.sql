{{ config(
    key='user_id',
    unique_key=['user_id', 'month', 'currency'],
    dirty_keys="{{ changed('fct_customer_days', 'user_id') }}",
    emits={'user_id': 'user_id'},
    indexes=[{'columns': ['user_id']}],
    cluster_by='month',
) }}

with

customer_days as (

    select * from {{ ref('fct_customer_days') }}
    where true
        {{ and_dirty('user_id') }}

),

final as (

    select
        user_id,
        cast({{ dbt.date_trunc('month', 'day') }} as date) as month,
        currency,
        min(case when orders > 0 then day end) as first_order_on,
        max(case when orders > 0 then day end) as last_order_on,
        cast(sum(orders) as bigint) as orders,
        cast(sum(gross_revenue_minor) as bigint) as gross_revenue_minor,
        cast(sum(discount_minor) as bigint) as discount_minor,
        cast(sum(refund_minor) as bigint) as refund_minor,
        cast(sum(net_revenue_minor) as bigint) as net_revenue_minor

    from customer_days
    group by user_id, cast({{ dbt.date_trunc('month', 'day') }} as date), currency

)

select * from final
