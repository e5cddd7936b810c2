{{ config(
    key='product_id',
    unique_key='product_id',
    dirty_keys="{{ changed('int_product_attributes', 'product_id') }}",
    emits={'product_id': {'key': 'product_id', 'of': ['product_name', 'brand', 'category']}},
) }}

with

attributes as (

    select * from {{ ref('int_product_attributes') }}
    where true
        {{ and_dirty('product_id') }}

),

last_known as (

    select
        product_id,
        max(case when attribute = 'sku' then value end) as sku,
        max(case when attribute = 'product_name' then value end) as product_name,
        max(case when attribute = 'brand' then value end) as brand,
        max(case when attribute = 'category' then value end) as category,
        cast(max(case when attribute = 'price' then value end) as {{ exact() }}) as price,
        max(case when attribute = 'price_currency' then value end) as price_currency,
        max(case when attribute = 'any_currency' then value end) as any_currency,
        min(first_seen_at) as first_seen_at,
        max(seen_at) as last_seen_at

    from attributes
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
