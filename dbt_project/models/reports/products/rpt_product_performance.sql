{{ config(
    key='product_id',
    unique_key='product_id',
    dirty_keys="
        {{ changed('fct_product_months', 'product_id') }}
        union all
        {{ changed('dim_products', 'product_id') }}
    ",
) }}

with

months as (

    select * from {{ ref('fct_product_months') }}
    where true
        {{ and_dirty('product_id') }}

),

products as (

    select * from {{ ref('dim_products') }}
    where true
        {{ and_dirty('product_id') }}

),

summed as (

    select
        product_id,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(views) as bigint) as views,
        cast(sum(adds) as bigint) as adds,
        cast(sum(removals) as bigint) as removals,
        cast(sum(orders) as bigint) as orders,
        cast(sum(units) as bigint) as units,
        cast(sum(refunds) as bigint) as refunds,
        cast(sum(returned_units) as bigint) as returned_units

    from months
    group by product_id

),

final as (

    select
        summed.product_id,
        products.product_name,
        products.brand,
        products.category,
        summed.clicks,
        summed.views,
        summed.adds,
        summed.removals,
        summed.orders,
        summed.units,
        summed.refunds,
        summed.returned_units,
        {{ ratio('summed.adds', 'summed.views') }} as view_to_add_rate,
        {{ ratio('summed.orders', 'summed.adds') }} as add_to_order_rate,
        {{ ratio('summed.returned_units', 'summed.units') }} as return_rate

    from summed
    left join products on summed.product_id = products.product_id

)

select * from final
