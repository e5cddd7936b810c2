-- Properties that senders added and the contract doesn't know (ingestion/drift.py), counted in records.
-- By partition, because a batch holds the lock on the positions of its partitions until it commits: these rows
-- are written under it, so no worker waits for another. The size is names × partitions, however many batches.
create table ops.schema_drift_by_partition (
    source        text not null,
    partition     integer not null, -- the lowest of the batch
    event         text not null,    -- a track event, page or identify
    property      text not null,    -- properties.products[].colour
    type          text not null,    -- of JSON
    records       bigint not null check (records > 0),
    first_seen_at timestamptz not null default now(),
    last_seen_at  timestamptz not null default now(),
    primary key (source, partition, event, property, type)
) with (fillfactor = 50); -- room to update a row in its page, batch after batch

-- What an engineer on call asks: what is new, since when, how much, and from where.
create view ops.schema_drift as
select
    source, event, property, type,
    sum(records)::bigint as records, min(first_seen_at) as first_seen_at, max(last_seen_at) as last_seen_at
from ops.schema_drift_by_partition
group by source, event, property, type;
