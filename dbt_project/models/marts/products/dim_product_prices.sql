{{ config(
    key='product_id',
    unique_key=['product_id', 'currency', 'valid_from'],
    dirty_keys="{{ changed('fct_product_prices_daily', 'product_id') }}",
    emits={'product_id': 'product_id'},
    indexes=[{'columns': ['product_id']}],
) }}

with

days as (

    select * from {{ ref('fct_product_prices_daily') }}
    where true
        {{ and_dirty('product_id') }}

),

compared as (

    select
        *,
        lag(price_minor) over (partition by product_id, currency order by day) as previous_price_minor

    from days

),

changes as (

    select * from compared
    where previous_price_minor is null or price_minor != previous_price_minor

),

final as (

    select
        product_id,
        currency,
        price_minor,
        previous_price_minor,
        day as valid_from,
        lead(day) over (partition by product_id, currency order by day) as valid_to,
        lead(day) over (partition by product_id, currency order by day) is null as is_current

    from changes

)

select * from final
