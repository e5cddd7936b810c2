-- Two ways to what is last known of a customer; and each stretch of the history ends where the next begins.
with

compared as (

    select
        *,
        lead(valid_from) over (partition by user_id order by change_number) as next_from

    from {{ ref('dim_customers_history') }}

)

select
    compared.user_id,
    compared.change_number
from compared
left join {{ ref('dim_customers') }} as customers on compared.user_id = customers.user_id
where compared.valid_to is distinct from compared.next_from
    or compared.is_current != (compared.next_from is null)
    or (
        compared.is_current
        and (
            compared.customer_name is distinct from customers.customer_name
            or compared.email is distinct from customers.email
            or compared.country is distinct from customers.country
            or compared.city is distinct from customers.city
        )
    )
