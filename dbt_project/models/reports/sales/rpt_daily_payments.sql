{{ config(
    key='day',
    unique_key=['day', 'payment_method', 'currency'],
    dirty_keys="{{ changed('fct_payments', 'attempted_on', 'date') }}",
) }}

with

payments as (

    select * from {{ ref('fct_payments') }}
    where true
        {{ and_dirty('attempted_on') }}

),

final as (

    select
        attempted_on as day,
        payment_method,
        currency,
        count(*) as attempts,
        cast(sum(case when outcome = 'paid' then 1 else 0 end) as bigint) as orders,
        cast(sum(case when outcome = 'failed' then 1 else 0 end) as bigint) as failed,
        cast(sum(case when outcome = 'abandoned' then 1 else 0 end) as bigint) as abandoned,
        {{ ratio("sum(case when outcome = 'failed' then 1 else 0 end)", 'count(*)') }} as failure_rate,
        {{ major_units("sum(case when outcome = 'paid' then amount_minor else 0 end)", 'currency') }} as paid,
        {{ major_units("sum(case when outcome = 'failed' then coalesce(amount_minor, 0) else 0 end)", 'currency') }}
            as failed_amount

    from payments
    group by attempted_on, payment_method, currency

)

select * from final
