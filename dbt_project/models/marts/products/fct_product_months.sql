-- What a product's whole history is added up from: thirty times fewer rows than days.
{{ config(
    key='month',
    unique_key=['month', 'product_id'],
    dirty_keys="{{ changed('fct_product_days', 'month', 'date') }}",
    emits={'product_id': 'product_id'},
    indexes=[{'columns': ['month']}],
    cluster_by='month',
) }}

with

product_days as (

    select * from {{ ref('fct_product_days') }}
    where true
        {{ and_dirty('month') }}

),

final as (

    select
        month,
        product_id,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(views) as bigint) as views,
        cast(sum(adds) as bigint) as adds,
        cast(sum(removals) as bigint) as removals,
        cast(sum(orders) as bigint) as orders,
        cast(sum(units) as bigint) as units,
        cast(sum(refunds) as bigint) as refunds,
        cast(sum(returned_units) as bigint) as returned_units

    from product_days
    group by month, product_id

)

select * from final
