-- A movement changes the days from its own to the product's next one in the centre.
{{ config(
    key='day',
    unique_key=['day', 'product_id'],
    dirty_keys="
        with moves as (
            select cast(substring(moved.key, 1, 10) as date) as day, substring(moved.key, 12) as stock_id
            from ({{ changed('fct_inventory_daily', 'from_day') }}) as moved (key)
        ),
        held as (
            select moves.day, min(later.day) as until
            from moves
            left join {{ ref('fct_inventory_daily') }} as later
                on moves.stock_id = later.stock_id and moves.day < later.day
            group by moves.day, moves.stock_id
        )
        select day from moves
        union all
        select cast(held_days.day as date)
        from held
        cross join lateral generate_series(
            held.day + 1,
            coalesce(held.until, (select max(day) + 1 from {{ ref('fct_inventory_daily') }})) - 1,
            interval '1 day'
        ) as held_days (day)
    ",
    indexes=[{'columns': ['day']}],
) }}

with

days as (

    select distinct day
    from {{ ref('fct_inventory_daily') }}
    where true
        {{ and_dirty('day') }}

),

levels as (

    select
        days.day,
        inventory.product_id,
        inventory.on_hand,
        case when inventory.day = days.day then inventory.delivered else 0 end as delivered,
        case when inventory.day = days.day then inventory.sold else 0 end as sold

    from days
    inner join {{ ref('fct_inventory_daily') }} as inventory
        on days.day >= inventory.day and days.day < inventory.until

),

final as (

    select
        day,
        product_id,
        case when count(*) = count(on_hand) then cast(sum(on_hand) as bigint) end as on_hand,
        cast(sum(delivered) as bigint) as delivered,
        cast(sum(sold) as bigint) as sold,
        case when count(*) = count(on_hand) then sum(on_hand) = 0 end as is_out_of_stock

    from levels
    group by day, product_id

)

select * from final
