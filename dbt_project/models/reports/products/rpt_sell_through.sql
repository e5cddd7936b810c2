{%- set days_looked_at = 28 -%}
{{ config(
    key='product_id',
    unique_key='product_id',
    dirty_keys="
        {{ changed('fct_inventory_daily', 'product_id') }}
        union all
        {{ changed('dim_products', 'product_id') }}
    ",
) }}

-- Read twice, once a use: what is used twice is kept meanwhile, on disk where it is much.
with

levels as (

    select * from {{ ref('fct_inventory_daily') }}
    where true
        {{ and_dirty('product_id') }}

),

inventory as (

    select * from {{ ref('fct_inventory_daily') }}
    where true
        {{ and_dirty('product_id') }}

),

products as (

    select * from {{ ref('dim_products') }}
    where true
        {{ and_dirty('product_id') }}

),

spans as (

    select
        product_id,
        min(day) as first_day,
        max(day) as last_day,
        min(case when on_hand is not null then day end) as known_from

    from levels
    group by product_id

),

summed as (

    select
        inventory.product_id,
        spans.first_day,
        spans.last_day,
        spans.known_from,
        cast(sum(inventory.delivered) as bigint) as delivered,
        cast(sum(inventory.sold) as bigint) as sold,
        sum(case when inventory.day >= spans.known_from then inventory.sold else 0 end) as sold_since_known,
        sum(
            case when inventory.day > {{ add_days('spans.last_day', -days_looked_at) }} then inventory.sold else 0 end
        ) as sold_lately,
        -- The last row of each fulfilment centre.
        sum(case when inventory.until > spans.last_day then inventory.on_hand end) as on_hand,
        sum(case when inventory.until > spans.last_day and inventory.on_hand is null then 1 else 0 end) as unknown_centres

    from inventory
    inner join spans on inventory.product_id = spans.product_id
    group by inventory.product_id, spans.first_day, spans.last_day, spans.known_from

),

known as (

    select
        *,
        case when unknown_centres = 0 then cast(on_hand as bigint) end as known_on_hand,
        least({{ dbt.datediff('first_day', 'last_day', 'day') }} + 1, {{ days_looked_at }}) as days

    from summed

),

final as (

    select
        known.product_id,
        products.product_name,
        products.brand,
        products.category,
        known.first_day,
        known.last_day,
        known.delivered,
        known.sold,
        known.known_on_hand as on_hand,
        cast({{ quotient('known.sold_lately', 'known.days') }} as numeric(22, 3)) as sold_a_day,
        {{ ratio('known.sold_since_known', 'known.sold_since_known + known.known_on_hand') }} as sell_through_rate,
        {{ ratio('known.known_on_hand * known.days', 'known.sold_lately') }} as days_of_cover

    from known
    left join products on known.product_id = products.product_id

)

select * from final
