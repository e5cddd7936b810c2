-- Counted anew from the facts, each figure apart; the report's money brought back to minor units.
with

sales as (

    select
        ordered_on as day,
        currency,
        count(*) as orders,
        sum(units) as units,
        sum(gross_revenue_minor) as gross_revenue_minor,
        sum(discount_minor) as discount_minor,
        sum(shipping_minor) as shipping_minor,
        sum(tax_minor) as tax_minor

    from {{ ref('fct_orders') }}
    group by ordered_on, currency

),

returns as (

    select
        refunded_on as day,
        currency,
        sum(refund_minor) as refund_minor

    from {{ ref('fct_refunds') }}
    group by refunded_on, currency

),

facts as (

    select
        day,
        currency,
        coalesce(orders, 0) as orders,
        coalesce(units, 0) as units,
        coalesce(gross_revenue_minor, 0) as gross_revenue_minor,
        coalesce(discount_minor, 0) as discount_minor,
        coalesce(refund_minor, 0) as refund_minor,
        coalesce(shipping_minor, 0) as shipping_minor,
        coalesce(tax_minor, 0) as tax_minor

    from sales
    full join returns using (day, currency)

),

report as (

    select
        day,
        currency,
        orders,
        units,
        {{ minor_units('gross_revenue', 'currency') }} as gross_revenue_minor,
        {{ minor_units('discounts', 'currency') }} as discount_minor,
        {{ minor_units('refunds', 'currency') }} as refund_minor,
        {{ minor_units('shipping', 'currency') }} as shipping_minor,
        {{ minor_units('tax', 'currency') }} as tax_minor

    from {{ ref('rpt_daily_sales') }}

)

(select 'only in facts' as found, facts.* from facts except all select 'only in facts', report.* from report)
union all
(select 'only in report' as found, report.* from report except all select 'only in report', facts.* from facts)
