-- What is told of a product's whole history is added up from months, not from its days.
{{ config(
    key='month',
    unique_key=['month', 'product_id'],
    dirty_keys="{{ changed('fct_inventory_daily', 'month', 'date') }}",
    emits={'product_id': 'product_id'},
    indexes=[{'columns': ['month']}],
    cluster_by='month',
) }}

with

inventory as (

    select
        *,
        min(case when on_hand is not null then day end) over (partition by month, product_id) as known_from

    from {{ ref('fct_inventory_daily') }}
    where true
        {{ and_dirty('month') }}

),

final as (

    select
        month,
        product_id,
        min(day) as first_day,
        max(day) as last_day,
        known_from,
        cast(sum(delivered) as bigint) as delivered,
        cast(sum(sold) as bigint) as sold,
        cast(sum(case when day >= known_from then sold else 0 end) as bigint) as sold_since_known

    from inventory
    group by month, product_id, known_from

)

select * from final
