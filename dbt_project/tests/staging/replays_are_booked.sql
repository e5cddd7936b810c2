-- What a replay took out of quarantine is what its batch received, loaded and found to be there already.
with

booked as (

    select
        ledger.batch_id,
        ledger.loaded,
        ledger.duplicate
    from {{ source('ops', 'ledger') }} as ledger
    inner join {{ ref('stg_load_watermark') }} as watermark on ledger.load_xid < watermark.load_xid
    where ledger.source = 'quarantine'

),

gone as (

    select
        replay_batch_id as batch_id,
        count(*) filter (where replay_state = 'loaded') as loaded,
        count(*) filter (where replay_state = 'duplicate') as duplicate
    from {{ source('raw', 'quarantine') }}
    where
        replay_state != 'waiting'
        and replay_batch_id not in (
            select ledger.batch_id
            from {{ source('ops', 'ledger') }} as ledger
            inner join {{ ref('stg_load_watermark') }} as watermark on ledger.load_xid >= watermark.load_xid
        )
    group by replay_batch_id

)

select
    batch_id,
    booked.loaded,
    gone.loaded as loaded_rows,
    booked.duplicate,
    gone.duplicate as duplicate_rows
from booked
full join gone using (batch_id)
where (booked.loaded, booked.duplicate) is distinct from (gone.loaded, gone.duplicate)
