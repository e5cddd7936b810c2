-- A product is asked for its whole history only where a changed day has another price than was known of it, or has lost
-- the price that began there. A day at the price that holds anyway changes nothing.
{{ config(
    key='product_id',
    unique_key=['product_id', 'currency', 'valid_from'],
    dirty_keys="
        select days.product_id
        from {{ ref('fct_product_prices_daily') }} as days
        left join {{ this }} as known
            on days.product_id = known.product_id
            and days.currency = known.currency
            and days.day >= known.valid_from
            and days.day < coalesce(known.valid_to, 'infinity')
        where days.day in ({{ changed('fct_product_prices_daily', 'day', 'date') }})
            and days.product_id in ({{ changed('fct_product_prices_daily', 'product_id') }})
            and days.price_minor is distinct from known.price_minor
        union all
        select known.product_id
        from {{ this }} as known
        left join {{ ref('fct_product_prices_daily') }} as days
            on known.valid_from = days.day
            and known.product_id = days.product_id
            and known.currency = days.currency
        where known.valid_from in ({{ changed('fct_product_prices_daily', 'day', 'date') }})
            and days.day is null
    ",
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
