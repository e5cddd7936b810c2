-- name: kpis
-- Each KPI as each mart and report has it now, money in minor units: by day (null: all days), and over all days by
-- product, country and channel. Read from the tables, by none of the models' own code: a proof must not trust what
-- it proves. A table has a row here for each of its own; what it doesn't know is null.
with marts (
    table_name, day, product, country, channel, currency, order_id,
    orders, units, gross_revenue, discounts, refunds, net_revenue, shipping, tax
) as (
    select 'marts.fct_orders', ordered_on, null, coalesce(country, 'unknown'), channel, currency, null,
        1, units, gross_revenue_minor, discount_minor, null::bigint, null::bigint, shipping_minor, tax_minor
    from marts.fct_orders
    union all
    select 'marts.fct_order_lines', (ordered_at at time zone 'UTC')::date, product_id, null, null, currency, order_id,
        null, quantity, gross_minor, discount_minor, null, null, null, null
    from marts.fct_order_lines
    union all
    select 'marts.fct_refunds', refunded_on, null, coalesce(country, 'unknown'), channel, currency, null,
        null, null, null, null, refund_minor, null, null, null
    from marts.fct_refunds
    union all
    select 'marts.fct_refund_lines', (refunded_at at time zone 'UTC')::date, product_id, null, null, currency, null,
        null, null, null, null, refund_minor, null, null, null
    from marts.fct_refund_lines
    union all
    select 'marts.fct_payments', null, null, null, null, currency, null,
        (outcome = 'paid')::integer, null, null, null, null, null, null, null
    from marts.fct_payments
), reports (
    table_name, day, product, country, channel, currency,
    orders, units, gross_revenue, discounts, refunds, net_revenue, shipping, tax
) as (
    select 'reports.rpt_hourly_sales', day, null, null, null, currency,
        orders, units, gross_revenue, discounts, refunds, net_revenue, shipping, tax
    from reports.rpt_hourly_sales
    union all
    select 'reports.rpt_daily_sales', day, null, null, null, currency,
        orders, units, gross_revenue, discounts, refunds, net_revenue, shipping, tax
    from reports.rpt_daily_sales
    union all
    select 'reports.rpt_weekly_sales', null, null, null, null, currency,
        orders, units, gross_revenue, discounts, refunds, net_revenue, shipping, tax
    from reports.rpt_weekly_sales
    union all
    select 'reports.rpt_monthly_sales', null, null, null, null, currency,
        orders, units, gross_revenue, discounts, refunds, net_revenue, shipping, tax
    from reports.rpt_monthly_sales
    union all
    select 'reports.rpt_daily_sales_by_country', day, null, country, null, currency,
        orders, units, gross_revenue, discounts, refunds, net_revenue, shipping, tax
    from reports.rpt_daily_sales_by_country
    union all
    select 'reports.rpt_daily_sales_by_city', day, null, country, null, currency,
        orders, units, gross_revenue, discounts, refunds, net_revenue, shipping, tax
    from reports.rpt_daily_sales_by_city
    union all
    select 'reports.rpt_daily_sales_by_channel', day, null, null, channel, currency,
        orders, units, gross_revenue, discounts, refunds, net_revenue, shipping, tax
    from reports.rpt_daily_sales_by_channel
    union all
    select 'reports.rpt_daily_promotions', day, null, null, null, currency,
        orders, units, gross_revenue, discounts, refunds, net_revenue, shipping, tax
    from reports.rpt_daily_promotions
    union all
    select 'reports.rpt_daily_sales_by_category', day, null, null, null, currency,
        null, units, gross_revenue, discounts, refunds, net_revenue, null, null
    from reports.rpt_daily_sales_by_category
    union all
    select 'reports.rpt_daily_sales_by_product', day, product_id, null, null, currency,
        null, units, gross_revenue, discounts, refunds, net_revenue, null, null
    from reports.rpt_daily_sales_by_product
    union all
    select 'reports.rpt_product_sales', null, product_id, null, null, currency,
        orders, units, gross_revenue, null, null, null, null, null
    from reports.rpt_product_sales
    union all
    select 'reports.rpt_daily_payments', null, null, null, null, currency,
        orders, null, null, null, null, null, null, null
    from reports.rpt_daily_payments
    union all
    select 'reports.rpt_seasonality_weekday_hour', null, null, null, null, currency,
        orders, null, null, null, null, net_revenue, null, null
    from reports.rpt_seasonality_weekday_hour
    union all
    select 'reports.rpt_seasonality_month', null, null, null, null, currency,
        orders, null, null, null, null, net_revenue, null, null
    from reports.rpt_seasonality_month
), visits (table_name, day, channel, sessions, converted_sessions) as (
    select 'marts.fct_sessions', started_on, channel, 1, converted::integer from marts.fct_sessions
    union all
    select 'reports.rpt_daily_sessions', day, null, sessions, converted_sessions from reports.rpt_daily_sessions
    union all
    select 'reports.rpt_daily_funnel', day, null, null, sessions
    from reports.rpt_daily_funnel where step = 'order_completed'
), facts as (
    select *, null::bigint as sessions, null::bigint as converted_sessions from marts
    union all
    select
        table_name, day, product, country, channel, currency, null, orders, units,
        gross_revenue * ops.minor_per_major(currency), discounts * ops.minor_per_major(currency),
        refunds * ops.minor_per_major(currency), net_revenue * ops.minor_per_major(currency),
        shipping * ops.minor_per_major(currency), tax * ops.minor_per_major(currency), null, null
    from reports
    union all
    select
        table_name, day, null, null, channel, '', null, null, null, null, null, null, null, null, null,
        sessions, converted_sessions
    from visits
), figures as (
    select
        case when grouping(product) = 0 then 'product' when grouping(country) = 0 then 'country'
            when grouping(channel) = 0 then 'channel' else 'day' end as dimension,
        table_name, day, coalesce(product, country, channel) as member,
        case when grouping(currency) = 0 then currency else '' end as currency,
        jsonb_strip_nulls(jsonb_build_object(
            'orders', coalesce(sum(orders), nullif(count(distinct order_id), 0)), 'units', sum(units),
            'gross_revenue', sum(gross_revenue), 'discounts', sum(discounts), 'refunds', sum(refunds),
            'net_revenue', sum(net_revenue), 'shipping', sum(shipping), 'tax', sum(tax),
            'sessions', sum(sessions), 'converted_sessions', sum(converted_sessions)
        )) as kpis
    from facts
    group by grouping sets (
        (table_name, day, currency), (table_name, product, currency), (table_name, country, currency),
        (table_name, channel)
    )
)
select dimension, table_name, day, member, currency, kpi, amount::numeric
from figures, jsonb_each_text(kpis) as each (kpi, amount)
where dimension = 'day' or member is not null;
