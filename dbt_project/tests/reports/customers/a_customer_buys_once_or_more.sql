select *
from {{ ref('rpt_daily_customers') }}
where customers > orders or (customers = 0) != (orders = 0)
