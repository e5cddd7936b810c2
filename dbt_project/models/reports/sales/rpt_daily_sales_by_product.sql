-- A product that is renamed has its new name on all of its days.
{{ config(
    key='day',
    unique_key=['day', 'product_id', 'currency'],
    dirty_keys="
        {{ changed('fct_order_lines', 'ordered_on', 'date') }}
        union all
        {{ changed('fct_refund_lines', 'refunded_on', 'date') }}
        union all
        select day from {{ this }}
        where product_id in ({{ changed('dim_products', 'product_id') }})
    ",
    indexes=[{'columns': ['day']}, {'columns': ['product_id']}],
) }}

with

sales as (

    {{ daily_sales_of_lines('product_id') }}

),

products as (

    select * from {{ ref('dim_products') }}
    where product_id in (select product_id from sales)

),

final as (

    select
        sales.*,
        products.product_name

    from sales
    left join products on sales.product_id = products.product_id

)

select * from final
