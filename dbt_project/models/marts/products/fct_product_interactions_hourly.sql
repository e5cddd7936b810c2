-- A late view costs its hour here, not its day.
{{ config(
    key='hour',
    unique_key=['hour', 'product_id'],
    dirty_keys="{{ changed('fct_product_interactions', 'occurred_hour', 'timestamp') }}",
    emits={'day': 'day'},
    indexes=[{'columns': ['hour']}, {'columns': ['day']}],
) }}

with

interactions as (

    select * from {{ ref('fct_product_interactions') }}
    where true
        {{ and_dirty('occurred_hour') }}

),

final as (

    select
        occurred_hour as hour,
        product_id,
        occurred_on as day,
        cast(sum(case when interaction = 'Product Clicked' then 1 else 0 end) as bigint) as clicks,
        cast(sum(case when interaction = 'Product Viewed' then 1 else 0 end) as bigint) as views,
        cast(sum(case when interaction = 'Product Added' then 1 else 0 end) as bigint) as adds,
        cast(sum(case when interaction = 'Product Removed' then 1 else 0 end) as bigint) as removals

    from interactions
    group by occurred_hour, occurred_on, product_id

)

select * from final
