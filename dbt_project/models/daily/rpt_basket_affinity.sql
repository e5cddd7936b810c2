with

order_lines as (

    select distinct
        order_id,
        product_id

    from {{ ref('fct_order_lines') }}

),

totals as (

    select count(distinct order_id) as orders
    from order_lines

),

products as (

    select
        product_id,
        count(*) as orders

    from order_lines
    group by product_id
    -- A pair is never in more orders than each of the two: the rare ones go before the baskets are paired.
    having count(*) >= {{ var('affinity_min_orders') }}

),

baskets as (

    select
        order_lines.order_id,
        order_lines.product_id

    from order_lines
    inner join products on order_lines.product_id = products.product_id

),

pairs as (

    select
        one.product_id,
        other.product_id as other_product_id,
        count(*) as orders_together

    from baskets as one
    inner join baskets as other on one.order_id = other.order_id and one.product_id < other.product_id
    group by one.product_id, other.product_id
    having count(*) >= {{ var('affinity_min_orders') }}

),

both_ways as (

    select
        product_id,
        other_product_id,
        orders_together

    from pairs

    union all

    select
        other_product_id as product_id,
        product_id as other_product_id,
        orders_together

    from pairs

),

names as (

    select
        product_id,
        product_name

    from {{ ref('dim_products') }}

),

final as (

    select
        both_ways.product_id,
        name.product_name,
        both_ways.other_product_id,
        other_name.product_name as other_product_name,
        both_ways.orders_together,
        {{ ratio('both_ways.orders_together', 'totals.orders') }} as support,
        {{ ratio('both_ways.orders_together', 'product.orders') }} as confidence,
        cast(
            {{ quotient('1.0 * both_ways.orders_together * totals.orders', '1.0 * product.orders * other_product.orders') }}
            as numeric(18, 4)
        ) as lift

    from both_ways
    inner join products as product on both_ways.product_id = product.product_id
    inner join products as other_product on both_ways.other_product_id = other_product.product_id
    cross join totals
    left join names as name on both_ways.product_id = name.product_id
    left join names as other_name on both_ways.other_product_id = other_name.product_id

)

select * from final
