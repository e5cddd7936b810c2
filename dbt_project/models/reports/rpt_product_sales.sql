with

order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

sold as (

    select
        product_id,
        currency,
        count(distinct order_id) as orders,
        sum(quantity) as units,
        sum(gross_minor) as gross_minor,
        min(ordered_at) as first_sold_at,
        max(ordered_at) as last_sold_at

    from order_lines
    group by product_id, currency

),

final as (

    select
        sold.product_id,
        sold.currency,
        products.product_name,
        products.brand,
        products.category,
        sold.orders,
        cast(sold.units as bigint) as units,
        {{ major_units('sold.gross_minor', 'sold.currency') }} as gross_revenue,
        {{ major_units('sold.gross_minor / nullif(sold.units, 0)', 'sold.currency') }} as average_price,
        sold.first_sold_at,
        sold.last_sold_at

    from sold
    left join products on sold.product_id = products.product_id

)

select * from final
