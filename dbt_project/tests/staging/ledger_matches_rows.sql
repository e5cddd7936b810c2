-- What each batch is booked to have loaded and rejected is there, no more and no less. Of months that raw dropped the
-- events are all here, or none after a full refresh.
with

ledger as (

    select ledger.*
    from {{ source('ops', 'ledger') }} as ledger
    inner join {{ ref('stg_load_watermark') }} as watermark on ledger.load_xid < watermark.load_xid

),

booked as (

    select
        batch_id,
        sum(loaded) as loaded,
        sum(quarantined) as quarantined

    from ledger
    group by batch_id

),

events as (

    select
        batch_id,
        count(*) as events

    from {{ ref('stg_events') }}
    group by batch_id

),

rejects as (

    select
        batch_id,
        count(*) as rejects

    from {{ source('raw', 'quarantine') }}
    where batch_id in (select batch_id from ledger)
    group by batch_id

)

select
    coalesce(booked.batch_id, events.batch_id, rejects.batch_id) as batch_id,
    booked.loaded,
    events.events,
    booked.quarantined,
    rejects.rejects
from booked
full join events on booked.batch_id = events.batch_id
full join rejects on coalesce(booked.batch_id, events.batch_id) = rejects.batch_id
where (
    coalesce(booked.loaded, 0) != coalesce(events.events, 0)
    and (
        events.events is not null
        or booked.batch_id in (select batch_id from {{ source('ops', 'kept_ledger') }})
    )
)
    or coalesce(booked.quarantined, 0) != coalesce(rejects.rejects, 0)
