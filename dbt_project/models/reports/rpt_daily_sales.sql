{{ config(
    key='day',
    unique_key=['day', 'currency'],
    dirty_keys="
        {{ changed('fct_orders', 'ordered_on', 'date') }}
        union all
        {{ changed('fct_refunds', 'refunded_on', 'date') }}
    ",
) }}

with

orders as (

    select * from {{ ref('fct_orders') }}
    where true
        {{ and_dirty('ordered_on') }}

),

refunds as (

    select * from {{ ref('fct_refunds') }}
    where true
        {{ and_dirty('refunded_on') }}

),

-- An order counts on its day, a refund on its own: yesterday's figures don't change when something comes back.
movements as (

    select
        ordered_on as day,
        currency,
        1 as orders,
        units,
        gross_revenue_minor,
        discount_minor,
        0 as refund_minor,
        shipping_minor,
        tax_minor

    from orders

    union all

    select
        refunded_on as day,
        currency,
        0 as orders,
        0 as units,
        0 as gross_revenue_minor,
        0 as discount_minor,
        refund_minor,
        0 as shipping_minor,
        0 as tax_minor

    from refunds

),

daily as (

    select
        day,
        currency,
        sum(orders) as orders,
        sum(units) as units,
        sum(gross_revenue_minor) as gross_revenue_minor,
        sum(discount_minor) as discount_minor,
        sum(refund_minor) as refund_minor,
        sum(shipping_minor) as shipping_minor,
        sum(tax_minor) as tax_minor

    from movements
    group by day, currency

),

final as (

    select
        day,
        currency,
        cast(orders as bigint) as orders,
        cast(units as bigint) as units,
        {{ major_units('gross_revenue_minor', 'currency') }} as gross_revenue,
        {{ major_units('discount_minor', 'currency') }} as discounts,
        {{ major_units('refund_minor', 'currency') }} as refunds,
        {{ major_units('gross_revenue_minor - discount_minor - refund_minor', 'currency') }} as net_revenue,
        {{ major_units('shipping_minor', 'currency') }} as shipping,
        {{ major_units('tax_minor', 'currency') }} as tax,
        -- Before refunds: those of a day belong to orders of other days.
        {{ major_units('(gross_revenue_minor - discount_minor) / nullif(orders, 0)', 'currency') }} as average_order_value

    from daily

)

select * from final
