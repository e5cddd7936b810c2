-- An event in no ledger row came in by a side door, and no model would ever show it.
select
    batch_id,
    count(*) as events
from {{ source('raw', 'events') }}
where batch_id not in (select batch_id from {{ source('ops', 'ledger') }})
group by batch_id
