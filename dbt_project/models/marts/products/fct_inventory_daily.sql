-- By stock, not by product: a sale in one centre doesn't have the days of all others read again.
{{ config(
    key='stock_id',
    unique_key=['product_id', 'fulfilment_centre', 'day'],
    dirty_keys="{{ changed('fct_stock_days', 'stock_id') }}",
    emits={
        'product_id': 'product_id',
        'from_day': {
            'key': "cast(day as " ~ dbt.type_string() ~ ") || ' ' || stock_id",
            'of': ['product_id', 'on_hand', 'delivered', 'sold'],
        },
    },
    indexes=[{'columns': ['product_id']}, {'columns': ['stock_id', 'day']}, {'columns': ['day']}, {'columns': ['until']}],
) }}

with

days as (

    select * from {{ ref('fct_stock_days') }}
    where true
        {{ and_dirty('stock_id') }}

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
        product_id,
        fulfilment_centre,
        stock_id,
        -- More sold than was there: a delivery that nobody told of.
        cast(case when level >= 0 then level end as bigint) as on_hand,
        delivered,
        sold,
        coalesce(next_day, cast('9999-12-31' as date)) as until

    from levelled

)

select * from final
