-- What a day's prices were: the history of a product is put together from days, not from views.
{{ config(
    key='day',
    unique_key=['day', 'product_id', 'currency'],
    dirty_keys="
        {{ changed('fct_product_prices_shown', 'day', 'date') }}
        union all
        {{ changed('fct_order_lines', 'ordered_on', 'date') }}
        union all
        {{ changed('stg_product_updates', 'updated_on', 'date') }}
    ",
    emits={
        'offer_day': {
            'key': "cast(day as " ~ dbt.type_string() ~ ") || ' ' || offer_id",
            'of': ['day', 'offer_id', 'price_minor'],
        },
    },
    indexes=[{'columns': ['day']}, {'columns': ['offer_id', 'day']}],
    cluster_by='day',
) }}

with

shown as (

    select
        day,
        product_id,
        currency,
        price_minor,
        lowest_price_minor,
        highest_price_minor,
        shown_at as occurred_at,
        interaction_id as tie_breaker

    from {{ ref('fct_product_prices_shown') }}
    where true
        {{ and_dirty('day') }}

),

order_lines as (

    select
        ordered_on as day,
        product_id,
        currency,
        unit_price_minor as price_minor,
        unit_price_minor as lowest_price_minor,
        unit_price_minor as highest_price_minor,
        ordered_at as occurred_at,
        order_id || '|' || line_number as tie_breaker

    from {{ ref('fct_order_lines') }}
    where true
        {{ and_dirty('ordered_on') }}

),

updates as (

    select
        updated_on as day,
        product_id,
        {{ currency_code('stated_currency') }} as currency,
        {{ minor_units('price', currency_code('stated_currency')) }} as price_minor,
        {{ minor_units('price', currency_code('stated_currency')) }} as lowest_price_minor,
        {{ minor_units('price', currency_code('stated_currency')) }} as highest_price_minor,
        occurred_at,
        message_id as tie_breaker

    from {{ ref('stg_product_updates') }}
    where price is not null
        {{ and_dirty('updated_on') }}

),

sightings as (

    select * from shown
    union all
    select * from order_lines
    union all
    select * from updates

),

ranked as (

    select
        day,
        product_id,
        currency,
        price_minor,
        row_number() over (
            partition by day, product_id, currency order by occurred_at desc, tie_breaker desc
        ) as recency,
        min(lowest_price_minor) over (partition by day, product_id, currency) as lowest_price_minor,
        max(highest_price_minor) over (partition by day, product_id, currency) as highest_price_minor

    from sightings

),

final as (

    select
        day,
        product_id,
        currency,
        {{ dbt.hash("product_id || '|' || currency") }} as offer_id,
        price_minor,
        lowest_price_minor,
        highest_price_minor

    from ranked
    where recency = 1

)

select * from final
