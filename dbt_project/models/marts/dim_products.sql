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
        price_minor,
        currency

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
        unit_price_minor as price_minor,
        currency

    from order_lines

),

final as (

    select
        product_id,
        {{ first_known('sku', 'seen_at desc, tie_breaker desc') }} as sku,
        {{ first_known('product_name', 'seen_at desc, tie_breaker desc') }} as product_name,
        {{ first_known('brand', 'seen_at desc, tie_breaker desc') }} as brand,
        {{ first_known('category', 'seen_at desc, tie_breaker desc') }} as category,
        {{ first_known('price_minor', 'seen_at desc, tie_breaker desc') }} as price_minor,
        -- Of the same sighting as the price.
        {{ first_known('case when price_minor is not null then currency end', 'seen_at desc, tie_breaker desc') }} as currency,
        min(seen_at) as first_seen_at,
        max(seen_at) as last_seen_at

    from sightings
    group by product_id

)

select * from final
