{{ config(
    key='product_id',
    unique_key=['product_id', 'currency'],
    dirty_keys="
        {{ changed('int_product_days', 'product_id') }}
        union all
        {{ changed('dim_products', 'product_id') }}
    ",
) }}

with

product_days as (

    select * from {{ ref('int_product_days') }}
    where true
        {{ and_dirty('product_id') }}

),

products as (

    select * from {{ ref('dim_products') }}
    where true
        {{ and_dirty('product_id') }}

),

sold as (

    select
        product_id,
        currency,
        sum(orders) as orders,
        sum(units) as units,
        sum(gross_minor) as gross_minor,
        min(first_sold_at) as first_sold_at,
        max(last_sold_at) as last_sold_at

    from product_days
    group by product_id, currency

),

final as (

    select
        sold.product_id,
        sold.currency,
        products.product_name,
        products.brand,
        products.category,
        cast(sold.orders as bigint) as orders,
        cast(sold.units as bigint) as units,
        {{ major_units('sold.gross_minor', 'sold.currency') }} as gross_revenue,
        {{ major_units(quotient('sold.gross_minor', 'nullif(sold.units, 0)'), 'sold.currency') }} as average_price,
        sold.first_sold_at,
        sold.last_sold_at

    from sold
    left join products on sold.product_id = products.product_id

)

select * from final
