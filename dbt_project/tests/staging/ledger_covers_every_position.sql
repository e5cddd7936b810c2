-- Between a partition's first and last position below the watermark every one is booked once: as a record or as
-- broker control. Each ledger row balances by the table's own constraints.
select
    ledger.source,
    ledger.source_uid,
    ledger.partition,
    max(ledger.last_position) - min(ledger.first_position) + 1 as positions,
    sum(ledger.received + ledger.control) as booked,
    sum(ledger.received - ledger.loaded - ledger.duplicate - ledger.quarantined) as residual
from {{ source('ops', 'ledger') }} as ledger
inner join {{ ref('stg_load_watermark') }} as watermark on ledger.load_xid < watermark.load_xid
group by ledger.source, ledger.source_uid, ledger.partition
having max(ledger.last_position) - min(ledger.first_position) + 1 != sum(ledger.received + ledger.control)
    or sum(ledger.received - ledger.loaded - ledger.duplicate - ledger.quarantined) != 0
