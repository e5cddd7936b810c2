-- name: replay_end
-- A replay takes what is there when it begins, else it would chase a stream of bad records for ever.
select coalesce(max(quarantine_id), 0) from raw.quarantine where replay_state = 'waiting';

-- name: replay_sources
select distinct source from ops.positions where source <> 'quarantine' order by source;

-- name: replay_next
-- Ids of the next chunk, oldest first: at most so many rows, and bytes but for the last row of it.
select array_agg(quarantine_id order by quarantine_id)
from (
    select quarantine_id, sum(size) over (order by quarantine_id) - size as bytes_before
    from (
        select quarantine_id, octet_length(raw) as size
        from raw.quarantine
        where replay_state = 'waiting' and quarantine_id > %(after)s and quarantine_id <= %(end)s
            and (%(reasons)s::text[] is null or reason = any(%(reasons)s::text[]))
            and (%(source)s::text is null or source = %(source)s)
            and (%(since)s::timestamptz is null or first_seen_at >= %(since)s)
            and (%(until)s::timestamptz is null or first_seen_at < %(until)s)
        order by quarantine_id
        limit %(rows)s
    ) as nearest
) as sized
where bytes_before < %(bytes)s;

-- name: replay_read
select quarantine_id, reason, raw, first_seen_at
from raw.quarantine
where quarantine_id = any(%(ids)s)
order by quarantine_id;

-- name: replay_take
-- Rows that another replay has in hand are passed over; the state is looked at again once the lock is held.
select quarantine_id, reason, raw, first_seen_at
from raw.quarantine
where quarantine_id = any(%(ids)s) and replay_state = 'waiting'
order by quarantine_id
for update skip locked;

-- name: replay_refused
-- Which records, counted from 0, hold JSON that the server can't store, and why: the rule of take_unstorable.
select ordinal - 1, coalesce(
    (pg_input_error_info(context, 'jsonb')).message,
    (pg_input_error_info(properties, 'jsonb')).message,
    (pg_input_error_info(traits, 'jsonb')).message
)
from unnest(%(context)s::text[], %(properties)s::text[], %(traits)s::text[])
    with ordinality as record (context, properties, traits, ordinal)
where not pg_input_is_valid(context, 'jsonb') or not pg_input_is_valid(properties, 'jsonb')
    or not pg_input_is_valid(traits, 'jsonb');

-- name: replay_known
select message_id from raw.message_ids where message_id = any(%(ids)s);

-- name: replay_written
-- The batch that begins at this position, and the positions of its records that were new.
select l.batch_id, array(
    select e.position from raw.events as e where e.batch_id = l.batch_id and e.partition = l.partition
)
from ops.ledger as l
where l.source = %(source)s and l.source_uid = %(source_uid)s and l.partition = %(partition)s
    and l.first_position = %(first)s;

-- name: replay_settle
update raw.quarantine as q
set replay_state = done.state, replayed_at = now(), replay_batch_id = %(batch_id)s
from unnest(%(ids)s::bigint[], %(states)s::text[]) as done (quarantine_id, state)
where q.quarantine_id = done.quarantine_id;

-- name: replay_fail
update raw.quarantine as q
set reason = failed.reason, detail = failed.detail, contract_version = failed.contract_version,
    last_seen_at = now()
from unnest(%(ids)s::bigint[], %(reasons)s::text[], %(details)s::text[], %(versions)s::integer[])
    as failed (quarantine_id, reason, detail, contract_version)
where q.quarantine_id = failed.quarantine_id;

-- name: replays_against_quarantine
-- Replayed batches whose records are not those that left quarantine by them.
with booked as (
    select batch_id, loaded, duplicate from ops.ledger where source = 'quarantine'
), gone as (
    select
        replay_batch_id as batch_id,
        count(*) filter (where replay_state = 'loaded') as loaded,
        count(*) filter (where replay_state = 'duplicate') as duplicate
    from raw.quarantine
    where replay_state <> 'waiting'
    group by replay_batch_id
)
select
    batch_id, coalesce(booked.loaded, 0), coalesce(gone.loaded, 0),
    coalesce(booked.duplicate, 0), coalesce(gone.duplicate, 0)
from booked
full join gone using (batch_id)
where (booked.loaded, booked.duplicate) is distinct from (gone.loaded, gone.duplicate)
order by batch_id;
