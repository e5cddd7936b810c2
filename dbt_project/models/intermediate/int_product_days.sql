{{ config(
    key='day',
    unique_key=['product_id', 'currency', 'day'],
    dirty_keys="{{ changed('int_order_lines', 'ordered_on', 'date') }}",
    emits={'product_id': 'product_id'},
    indexes=[{'columns': ['day']}, {'columns': ['product_id']}],
    cluster_by='day',
) }}

with

order_lines as (

    select * from {{ ref('int_order_lines') }}
    where true
        {{ and_dirty('ordered_on') }}

),

final as (

    select
        ordered_on as day,
        product_id,
        currency,
        -- An order is of one day, so that days add up.
        count(distinct order_id) as orders,
        cast(sum(quantity) as bigint) as units,
        cast(sum(gross_minor) as bigint) as gross_minor,
        min(ordered_at) as first_sold_at,
        max(ordered_at) as last_sold_at

    from order_lines
    group by ordered_on, product_id, currency

)

select * from final
