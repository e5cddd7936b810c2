{%- set days_looked_at = 28 -%}
{{ config(
    key='product_id',
    unique_key='product_id',
    dirty_keys="
        {{ changed('fct_stock_months', 'product_id') }}
        union all
        {{ changed('fct_inventory_daily', 'product_id') }}
        union all
        {{ changed('dim_products', 'product_id') }}
    ",
) }}

with

months as (

    select
        *,
        min(known_from) over (partition by product_id) as known_since

    from {{ ref('fct_stock_months') }}
    where true
        {{ and_dirty('product_id') }}

),

-- What the fulfilment centres hold since their last movement.
levels as (

    select * from {{ ref('fct_inventory_daily') }}
    where until = cast('9999-12-31' as date)
        {{ and_dirty('product_id') }}

),

products as (

    select * from {{ ref('dim_products') }}
    where true
        {{ and_dirty('product_id') }}

),

totals as (

    select
        product_id,
        min(first_day) as first_day,
        max(last_day) as last_day,
        cast(sum(delivered) as bigint) as delivered,
        cast(sum(sold) as bigint) as sold,
        sum(
            case
                when known_from = known_since then sold_since_known
                when month > known_since then sold
                else 0
            end
        ) as sold_since_known

    from months
    group by product_id

),

held as (

    select
        product_id,
        sum(on_hand) as on_hand,
        count(*) - count(on_hand) as unknown_centres

    from levels
    group by product_id

),

-- Of each product the last days, found in the index.
summed as (

    select
        totals.*,
        lately.sold as sold_lately,
        held.on_hand,
        held.unknown_centres

    from totals
    inner join held on totals.product_id = held.product_id
    cross join lateral (
        select sum(days.sold) as sold
        from {{ ref('fct_inventory_daily') }} as days
        where days.product_id = totals.product_id
            and days.day > {{ add_days('totals.last_day', -days_looked_at) }}
    ) as lately

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
