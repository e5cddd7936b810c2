select
    day,
    currency,
    gross_revenue,
    discounts,
    refunds,
    net_revenue
from {{ ref('rpt_daily_sales') }}
where net_revenue != gross_revenue - discounts - refunds
