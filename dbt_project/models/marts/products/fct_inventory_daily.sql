-- By stock, not by product: a sale in one centre doesn't have the days of all others read again. And not all days of the
-- stock: from the one before the first that changed, whose `until` may be another. A level rests on the statement
-- before it alone.
{{ config(
    key='stock_day',
    unique_key=['product_id', 'fulfilment_centre', 'day'],
    dirty_keys="
        with moved as (
            select key, cast(substring(key, 1, 10) as date) as day, substring(key, 12) as stock_id
            from ({{ changed('fct_stock_days', 'stock_day') }}) as changed (key)
        ),
        earliest as (
            select stock_id, min(day) as day
            from moved
            group by stock_id
        )
        select key from moved
        union all
        select cast(days.day as text) || ' ' || days.stock_id
        from earliest
        inner join {{ ref('fct_stock_days') }} as days on earliest.stock_id = days.stock_id
        where days.day >= coalesce(
            (
                select max(before.day) from {{ ref('fct_stock_days') }} as before
                where before.stock_id = earliest.stock_id and before.day < earliest.day
            ),
            earliest.day
        )
    ",
    emits={
        'product_id': 'product_id',
        'from_day': {'key': 'stock_day', 'of': ['product_id', 'on_hand', 'delivered', 'sold']},
        'month': {'key': 'month', 'of': ['stock_day', 'on_hand', 'delivered', 'sold']},
    },
    indexes=[
        {'columns': ['stock_day']}, {'columns': ['stock_id', 'day']}, {'columns': ['day']},
        {'columns': ['until']}, {'columns': ['month']},
    ],
    cluster_by='day',
) }}

{% set asked %}
earliest as (

    select
        substring(key, 12) as stock_id,
        min(cast(substring(key, 1, 10) as date)) as day
    from dirty_keys
    group by substring(key, 12)

),

asked as (

    select
        earliest.stock_id,
        coalesce(stated.day, '-infinity') as since
    from earliest
    left join lateral (
        select days.day from {{ ref('fct_stock_days') }} as days
        where days.stock_id = earliest.stock_id
            and days.day <= earliest.day
            and days.stated_on_hand is not null
        order by days.day desc
        limit 1
    ) as stated on true

),
{% endset %}

with

{{ in_increments(asked) }}

days as (

    select days.*
    from {{ looked_up(ref('fct_stock_days'), 'stock_id = asked.stock_id and day >= asked.since') }} as days

),

counted as (

    select
        *,
        count(stated_on_hand) over (partition by product_id, fulfilment_centre order by day) as statements

    from days

),

levelled as (

    select
        *,
        -- The last statement, less what was sold since; before the first nobody knows.
        max(stated_on_hand) over (partition by product_id, fulfilment_centre, statements)
        - sum(sold_since_stated) over (partition by product_id, fulfilment_centre, statements order by day) as level,
        lead(day) over (partition by product_id, fulfilment_centre order by day) as next_day

    from counted

),

final as (

    select
        day,
        {{ month_of('day') }} as month,
        product_id,
        fulfilment_centre,
        stock_id,
        cast(day as {{ dbt.type_string() }}) || ' ' || stock_id as stock_day,
        -- More sold than was there: a delivery that nobody told of.
        cast(case when level >= 0 then level end as bigint) as on_hand,
        delivered,
        sold,
        coalesce(next_day, cast('9999-12-31' as date)) as until

    from levelled

)

select * from final
where true
    {{ and_dirty('stock_day') }}
