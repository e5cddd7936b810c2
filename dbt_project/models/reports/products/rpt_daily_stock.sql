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

asked as (

    select
        min(day) as first_day,
        max(day) as last_day

    from days

),

-- Looked up by their ends: nearly all of a long history began before.
inventory as (

    select inventory.*
    from {{ looked_up(ref('fct_inventory_daily'), 'until > asked.first_day') }} as inventory

),

held as (

    select
        inventory.product_id,
        inventory.on_hand,
        inventory.delivered,
        inventory.sold,
        inventory.day as since,
        greatest(inventory.day, asked.first_day) as first_day,
        least(inventory.until - 1, asked.last_day) as last_day

    from asked
    inner join inventory
        on asked.last_day >= inventory.day and asked.first_day < inventory.until

),

levels as (

    select
        each_day.day,
        held.product_id,
        held.on_hand,
        case when each_day.day = held.since then held.delivered else 0 end as delivered,
        case when each_day.day = held.since then held.sold else 0 end as sold

    from held
    cross join lateral {{ days_of('held.first_day', 'held.last_day') }} as each_day
    -- Of a day without any movement nothing is told.
    inner join days on each_day.day = days.day

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
