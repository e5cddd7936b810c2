-- What is new is added to what was counted: a view that comes a month late doesn't have its day's views read again.
{{ config(
    key='day',
    unique_key=['day', 'product_id'],
    dirty_keys="
        select occurred_on from {{ ref('fct_product_interactions') }}
        where batch_id in ({{ changed('fct_product_interactions', 'batch_id', 'bigint') }})
    ",
    emits={'day': 'day'},
    indexes=[{'columns': ['day']}],
    cluster_by='day',
) }}

with

counted as (

    select
        occurred_on as day,
        product_id,
        case when interaction = 'Product Clicked' then 1 else 0 end as clicks,
        case when interaction = 'Product Viewed' then 1 else 0 end as views,
        case when interaction = 'Product Added' then 1 else 0 end as adds,
        case when interaction = 'Product Removed' then 1 else 0 end as removals

    from {{ ref('fct_product_interactions') }}
    where true
        {{ and_new('fct_product_interactions') }}
    {{ in_increments("union all select day, product_id, clicks, views, adds, removals from " ~ this ~ " where day in (select key from dirty_keys)") }}

),

final as (

    select
        day,
        product_id,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(views) as bigint) as views,
        cast(sum(adds) as bigint) as adds,
        cast(sum(removals) as bigint) as removals

    from counted
    group by day, product_id

)

select * from final
