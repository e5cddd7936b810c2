{{ config(
    key='order_id',
    unique_key=['order_id', 'line_number'],
    dirty_keys="{{ changed('int_order_lines', 'order_id') }}",
    emits={'order_id': 'order_id', 'product_id': 'product_id', 'ordered_on': 'ordered_on'},
    indexes=[{'columns': ['ordered_on']}, {'columns': ['product_id']}],
    cluster_by='ordered_at',
) }}

with

order_lines as (

    select * from {{ ref('int_order_lines') }}
    where true
        {{ and_dirty('order_id') }}

),

final as (

    select
        order_id,
        line_number,
        ordered_at,
        ordered_on,
        product_id,
        coalesce(category, 'unknown') as category,
        variant,
        coalesce(fulfilment_centre, 'unknown') as fulfilment_centre,
        currency,
        quantity,
        unit_price_minor,
        gross_minor,
        discount_minor

    from order_lines

)

select * from final
