-- Each price but the last gives way to another one, and the last is that of the last day.
with

compared as (

    select
        *,
        lead(valid_from) over (partition by product_id, currency order by valid_from) as next_from,
        lead(price_minor) over (partition by product_id, currency order by valid_from) as next_price_minor

    from {{ ref('dim_product_prices') }}

),

last_days as (

    select
        product_id,
        currency,
        price_minor,
        row_number() over (partition by product_id, currency order by day desc) as recency

    from {{ ref('fct_product_prices_daily') }}

)

select
    compared.product_id,
    compared.currency,
    compared.valid_from
from compared
left join last_days
    on compared.product_id = last_days.product_id and compared.currency = last_days.currency and last_days.recency = 1
where compared.valid_to is distinct from compared.next_from
    or compared.next_price_minor = compared.price_minor
    or compared.is_current != (compared.next_from is null)
    or (compared.is_current and compared.price_minor is distinct from last_days.price_minor)
