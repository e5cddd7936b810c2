-- What each source is booked to have loaded and rejected is there, no more and no less.
with

ledger as (

    select ledger.*
    from {{ source('ops', 'ledger') }} as ledger
    inner join {{ ref('stg_load_watermark') }} as watermark on ledger.load_xid < watermark.load_xid

),

booked as (

    select
        source,
        sum(loaded) as loaded,
        sum(quarantined) as quarantined

    from ledger
    group by source

),

events as (

    select
        source,
        count(*) as events

    from {{ ref('stg_events') }}
    group by source

),

rejects as (

    select
        source,
        count(*) as rejects

    from {{ source('raw', 'quarantine') }}
    where batch_id in (select batch_id from ledger)
    group by source

)

select
    coalesce(booked.source, events.source, rejects.source) as source,
    booked.loaded,
    events.events,
    booked.quarantined,
    rejects.rejects
from booked
full join events on booked.source = events.source
full join rejects on coalesce(booked.source, events.source) = rejects.source
where coalesce(booked.loaded, 0) != coalesce(events.events, 0)
    or coalesce(booked.quarantined, 0) != coalesce(rejects.rejects, 0)
