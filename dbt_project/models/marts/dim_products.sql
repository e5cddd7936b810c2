with

interactions as (

    select * from {{ ref('stg_product_interactions') }}

),

order_lines as (

    select * from {{ ref('int_order_lines') }}

),

sightings as (

    select
        product_id,
        occurred_at as seen_at,
        message_id as tie_breaker,
        sku,
        product_name,
        brand,
        category,
        price,
        stated_currency

    from interactions

    union all

    select
        product_id,
        ordered_at as seen_at,
        order_id || '|' || line_number as tie_breaker,
        sku,
        product_name,
        brand,
        category,
        {{ major_units('unit_price_minor', 'currency') }} as price,
        currency as stated_currency

    from order_lines

),

last_known as (

    select
        product_id,
        {{ first_known('sku', 'seen_at desc, tie_breaker desc') }} as sku,
        {{ first_known('product_name', 'seen_at desc, tie_breaker desc') }} as product_name,
        {{ first_known('brand', 'seen_at desc, tie_breaker desc') }} as brand,
        {{ first_known('category', 'seen_at desc, tie_breaker desc') }} as category,
        {{ first_known('price', 'seen_at desc, tie_breaker desc') }} as price,
        {{ first_known("case when price is not null then coalesce(stated_currency, '') end", 'seen_at desc, tie_breaker desc') }} as price_currency,
        {{ first_known('stated_currency', 'seen_at desc, tie_breaker desc') }} as any_currency,
        min(seen_at) as first_seen_at,
        max(seen_at) as last_seen_at

    from sightings
    group by product_id

),

in_currency as (

    select
        *,
        -- A price without a currency is in the one that the product was last sold or shown in.
        {{ currency_code("coalesce(nullif(price_currency, ''), any_currency)") }} as currency

    from last_known

),

final as (

    select
        product_id,
        sku,
        product_name,
        brand,
        category,
        {{ minor_units('price', 'currency') }} as price_minor,
        currency,
        first_seen_at,
        last_seen_at

    from in_currency

)

select * from final
