-- Deciles exactly; segments to the last decimal of each.
select
    'rpt_revenue_concentration ' || subject as report,
    currency,
    sum(share) as share
from {{ ref('rpt_revenue_concentration') }}
group by subject, currency
having sum(share) != 1

union all

select
    'rpt_rfm_segments, customers' as report,
    currency,
    sum(share_of_customers) as share
from {{ ref('rpt_rfm_segments') }}
group by currency
having abs(sum(share_of_customers) - 1) > 0.00005 * count(*)

union all

select
    'rpt_rfm_segments, revenue' as report,
    currency,
    sum(share_of_revenue) as share
from {{ ref('rpt_rfm_segments') }}
group by currency
having abs(sum(share_of_revenue) - 1) > 0.00005 * count(*)
