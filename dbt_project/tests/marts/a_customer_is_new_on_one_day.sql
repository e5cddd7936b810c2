select
    user_id,
    count(distinct day) as days
from {{ ref('fct_customer_days') }}
where customer_type = 'new'
group by user_id
having count(distinct day) > 1 or sum(orders) = 0
