-- A product is asked for only where a changed day has another price than was known of it, or has lost the price that
-- began there. A day at the price that holds anyway changes nothing. Then the days that can begin a price are compared:
-- those that began one before, those that changed, and the day after each. Between them no price begins, so the one
-- before in this list has the price of the day before.
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

{% set asked %}
asked as (

    select product_id, currency, valid_from as day
    from {{ this }}
    where product_id in (select key from dirty_keys)

    union

    select product_id, currency, day
    from {{ ref('fct_product_prices_daily') }}
    where day in ({{ changed('fct_product_prices_daily', 'day', 'date') }})
        and product_id in (select key from dirty_keys)

    union

    select known.product_id, known.currency, after.day
    from (select distinct product_id, currency from {{ this }} where product_id in (select key from dirty_keys)) as known
    cross join ({{ changed('fct_product_prices_daily', 'day', 'date') }}) as changed (day)
    cross join lateral (
        select days.day
        from {{ ref('fct_product_prices_daily') }} as days
        where days.product_id = known.product_id and days.currency = known.currency and days.day > changed.day
        order by days.day
        limit 1
    ) as after

    union

    select product_id, currency, day
    from {{ ref('fct_product_prices_daily') }}
    where product_id in ({{ asked_for() }})

),
{% endset %}

with

{{ in_increments(asked) }}

days as (

    select days.*
    from {{ ref('fct_product_prices_daily') }} as days
    {{ in_increments(
        "inner join asked on days.day = asked.day and days.product_id = asked.product_id and days.currency = asked.currency"
    ) }}

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
