-- Shares of the week's hours sum to one, and the index of the months is one on an average day; both but for their
-- rounding.
select
    'rpt_seasonality_weekday_hour' as report,
    currency,
    sum(share) as whole
from {{ ref('rpt_seasonality_weekday_hour') }}
group by currency
having abs(sum(share) - 1) > 0.0001 * count(*)

union all

select
    'rpt_seasonality_month' as report,
    currency,
    sum(month_index * days) / sum(days) as whole
from {{ ref('rpt_seasonality_month') }}
group by currency
having abs(sum(month_index * days) / sum(days) - 1) > 0.0001
