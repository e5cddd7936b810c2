{% set reports = [
    'rpt_hourly_sales', 'rpt_daily_sales', 'rpt_weekly_sales', 'rpt_monthly_sales', 'rpt_daily_sales_by_country',
    'rpt_daily_sales_by_city', 'rpt_daily_sales_by_channel', 'rpt_daily_sales_by_category', 'rpt_daily_sales_by_product',
    'rpt_daily_promotions',
] %}
{% for report in reports %}
select
    '{{ report }}' as report,
    currency,
    gross_revenue,
    discounts,
    refunds,
    net_revenue
from {{ ref(report) }}
where net_revenue != gross_revenue - discounts - refunds
{{ 'union all' if not loop.last }}
{% endfor %}
