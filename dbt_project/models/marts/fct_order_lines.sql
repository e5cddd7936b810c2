with

order_lines as (

    select * from {{ ref('int_order_lines') }}

),

final as (

    select
        order_id,
        line_number,
        ordered_at,
        product_id,
        variant,
        currency,
        quantity,
        unit_price_minor,
        gross_minor

    from order_lines

)

select * from final
