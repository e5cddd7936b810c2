{{ config(
    key='day',
    unique_key=['day', 'category', 'currency'],
    dirty_keys="
        {{ changed('fct_order_lines', 'ordered_on', 'date') }}
        union all
        {{ changed('fct_refund_lines', 'refunded_on', 'date') }}
    ",
    indexes=[{'columns': ['day']}],
) }}

{{ daily_sales_of_lines('category') }}
