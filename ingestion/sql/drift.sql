-- name: record_drift
-- In the order of the key, and as the last statement of a batch, so that two workers never dead-lock.
insert into ops.schema_drift_by_partition as kept (source, partition, event, property, type, records)
select %(source)s, %(partition)s, event, property, type, records
from unnest(%(events)s::text[], %(properties)s::text[], %(types)s::text[], %(records)s::bigint[])
    as seen (event, property, type, records)
order by event, property, type
on conflict (source, partition, event, property, type) do update
set records = kept.records + excluded.records, last_seen_at = now();
