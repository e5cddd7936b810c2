-- name: grant_roles
select ops.grant_roles();

-- name: make_partitions
select raw.make_partitions(%(months_ahead)s);

-- name: drop_partitions
select raw.drop_partitions(date_trunc('month', now(), 'UTC') - make_interval(months => %(keep_months)s));

-- name: read_positions
-- Waits for a transaction of another worker that is moving them, so a zombie's last write is seen.
select partition, next_position
from ops.positions
where source = %(source)s and source_uid = %(source_uid)s and partition = any(%(partitions)s)
for update;

-- name: new_positions
insert into ops.positions (source, source_uid, partition, next_position, first_position)
select %(source)s, %(source_uid)s, partition, first, first
from unnest(%(partitions)s::integer[], %(starts)s::bigint[]) as new (partition, first)
on conflict do nothing;

-- name: lock_file
-- Until the end of the transaction: two who come with one file under two names agree on one.
select pg_advisory_xact_lock(hashtextextended(%(source_uid)s, 0));

-- name: file_source
-- The source under which a file of this content came first.
select source from ops.positions where source_uid = %(source_uid)s and source like 'file:%%';

-- name: move_positions
-- Compare and set: a row whose position is not the expected one is not updated, and the caller rolls back.
update ops.positions as p
set next_position = moved.next_position, updated_at = now(),
    end_position = greatest(moved.end_position, moved.next_position)
from unnest(%(partitions)s::integer[], %(expected)s::bigint[], %(next)s::bigint[], %(ends)s::bigint[])
    as moved (partition, expected, next_position, end_position)
where p.source = %(source)s and p.source_uid = %(source_uid)s
    and p.partition = moved.partition and p.next_position = moved.expected;

-- name: begin_batch
select pg_current_xact_id(), set_config('lock_timeout', %(lock_timeout)s, true);

-- name: next_batch
select nextval('ops.batch_id_seq');

-- name: claim_ids
-- Claims the ids that aren't there, and returns those that are; as JSON, which costs the client a tenth of an array.
-- An id that another worker is claiming is waited for; when that one commits, this fails and is to be asked again.
-- `on conflict` would do without, but takes a third longer for every id.
with given as materialized (
    select json_array_elements_text(%(ids)s::json) as message_id
), known as materialized (
    select message_id
    from given
    where exists (select from raw.message_ids where message_ids.message_id = given.message_id)
), fresh as (
    insert into raw.message_ids (message_id, batch_id)
    select message_id, %(batch_id)s
    from given
    where message_id not in (select message_id from known)
)
select json_agg(message_id)::text from known;

-- name: copy_events
copy raw.events (
    message_id, type, event, user_id, anonymous_id, timestamp, sent_at, received_at,
    context, properties, traits, partition, position, batch_id
) from stdin;

-- name: count_delays
insert into ops.delays (minute, worker, stage, counts)
values (date_trunc('minute', now()), pg_backend_pid(), %(stage)s, %(counts)s)
on conflict (minute, worker, stage) do update set counts = ops.add_counts(ops.delays.counts, excluded.counts);

-- name: count_events
-- By the hour in which they occurred, and by the ten seconds in which they came: one statement, one round trip.
with counted as (
    select to_timestamp(hour) as hour, event, currency, events, late, amount
    from unnest(%(hours)s::bigint[], %(events)s::text[], %(currencies)s::text[], %(counts)s::bigint[],
        %(late)s::bigint[], %(amounts)s::bigint[]) as each (hour, event, currency, events, late, amount)
), live as (
    insert into ops.live_events as l (bucket, event, currency, source, partition, events, amount_minor)
    select date_bin('10 seconds', clock_timestamp(), 'epoch'), event, currency, %(source)s, %(partition)s, sum(events), sum(amount)
    from counted
    group by event, currency
    on conflict (bucket, event, currency, source, partition) do update
    set events = l.events + excluded.events, amount_minor = l.amount_minor + excluded.amount_minor
)
insert into ops.event_hours as h (hour, event, currency, source, partition, events, late, amount_minor)
select hour, event, currency, %(source)s, %(partition)s, events, late, amount
from counted
on conflict (hour, event, currency, source, partition) do update
set events = h.events + excluded.events, late = h.late + excluded.late,
    amount_minor = h.amount_minor + excluded.amount_minor;

-- name: count_prices
insert into ops.price_hours as h (hour, product_id, currency, source, partition, lines, price_minor)
select to_timestamp(hour), product_id, currency, %(source)s, %(partition)s, lines, price
from unnest(%(hours)s::bigint[], %(products)s::text[], %(currencies)s::text[], %(lines)s::bigint[], %(prices)s::bigint[])
    as each (hour, product_id, currency, lines, price)
on conflict (product_id, currency, hour, source, partition) do update
set lines = h.lines + excluded.lines, price_minor = h.price_minor + excluded.price_minor;

-- name: forget_live_events
delete from ops.live_events where bucket < now() - interval '2 days';

-- name: forget_price_hours
delete from ops.price_hours where hour < now() - interval '35 days';

-- name: measure_disk
insert into ops.disk (machine, path, total_bytes, free_bytes)
values (%(machine)s, %(path)s, %(total)s, %(free)s)
on conflict (machine, path) do update
set total_bytes = excluded.total_bytes, free_bytes = excluded.free_bytes, measured_at = now();

-- name: insert_quarantine
insert into raw.quarantine (
    reason, detail, raw, source, source_uid, partition, position, contract_version, batch_id
) values (
    %(reason)s, %(detail)s, %(raw)s, %(source)s, %(source_uid)s, %(partition)s, %(position)s,
    %(contract_version)s, %(batch_id)s
);

-- name: insert_ledger
insert into ops.ledger (
    batch_id, source, source_uid, partition, first_position, last_position,
    received, loaded, duplicate, quarantined, control, bytes
) values (
    %(batch_id)s, %(source)s, %(source_uid)s, %(partition)s, %(first)s, %(last)s,
    %(received)s, %(loaded)s, %(duplicate)s, %(quarantined)s, %(control)s, %(bytes)s
);

-- name: ledger_totals
-- One row a source and partition that was ever assigned: counts, the positions that the ledger covers, and
-- those that are stored.
select
    source, source_uid, partition,
    coalesce(l.received, 0), coalesce(l.loaded, 0), coalesce(l.duplicate, 0), coalesce(l.quarantined, 0),
    coalesce(l.control, 0),
    coalesce(l.first_position, p.first_position), coalesce(l.next_position, p.next_position),
    p.first_position, p.next_position
from (
    select
        source, source_uid, partition,
        sum(received)::bigint as received, sum(loaded)::bigint as loaded, sum(duplicate)::bigint as duplicate,
        sum(quarantined)::bigint as quarantined, sum(control)::bigint as control,
        min(first_position) as first_position, max(last_position) + 1 as next_position
    from ops.ledger
    group by source, source_uid, partition
) as l
full join ops.positions as p using (source, source_uid, partition)
order by 1, 2, 3;

-- name: files_in_flight
-- Lines of files whose load was broken off.
select coalesce(sum(waiting), 0)::bigint from ops.lag where source like 'file:%';

-- name: ledger_against_rows
-- Batches whose rows are not those that the ledger booked.
with stored as (
    select batch_id, partition, count(*) as rows from raw.events group by 1, 2
), kept as (
    select batch_id, partition, count(*) as rows from raw.quarantine group by 1, 2
)
select
    l.source, l.partition, l.first_position, l.last_position,
    l.loaded, coalesce(stored.rows, 0), l.quarantined, coalesce(kept.rows, 0)
from ops.ledger as l
left join stored using (batch_id, partition)
left join kept using (batch_id, partition)
left join ops.dropped_months as d on d.month = date_trunc('month', l.loaded_at, 'UTC')
where (l.loaded <> coalesce(stored.rows, 0) and d.month is null) or l.quarantined <> coalesce(kept.rows, 0)
order by 1, 2, 3;

-- name: ids_against_ledger
-- Batches that claimed another number of ids than the ledger booked as loaded.
select l.source, l.batch_id, l.loaded, coalesce(claimed.ids, 0)
from (select source, batch_id, sum(loaded)::bigint as loaded from ops.kept_ledger group by 1, 2) as l
left join (select batch_id, count(*) as ids from raw.message_ids group by 1) as claimed using (batch_id)
where l.loaded <> coalesce(claimed.ids, 0)
order by 1, 2;

-- name: rows_without_ledger
select 'raw.events', count(*) from raw.events where batch_id not in (select batch_id from ops.ledger)
union all
select 'raw.message_ids', count(*) from raw.message_ids where batch_id not in (select batch_id from ops.ledger)
union all
select 'raw.quarantine', count(*) from raw.quarantine where batch_id not in (select batch_id from ops.ledger);

-- name: ledger_sources
-- But for replays: their records are of the other sources.
select distinct source from ops.ledger where source <> 'quarantine' order by source;

-- name: ledger_summary
-- What a replay received has left quarantine.
select
    coalesce(sum(loaded), 0),
    coalesce(sum(quarantined), 0) - coalesce(sum(received) filter (where source = 'quarantine'), 0),
    max(loaded_at)
from ops.ledger;

-- name: quarantine_by_reason
select reason, count(*) from raw.quarantine where replay_state = 'waiting' group by reason order by reason;

-- name: marts_behind
-- Events loaded since the watermark up to which the models were built.
select coalesce(sum(loaded), 0)
from ops.ledger
where load_xid >= coalesce((select max(load_xid) from staging.stg_load_watermark), '0'::xid8);

-- name: orders_that_do_not_add_up
-- Lines whose price times quantity isn't their amount (a line is rounded once, its price too, so half a minor
-- unit a piece is allowed), and orders whose lines don't sum to them.
select
    'marts.fct_order_lines', order_id || ' line ' || line_number, quantity * unit_price_minor, gross_minor, currency
from marts.fct_order_lines
where abs(quantity * unit_price_minor - gross_minor) * 2 > quantity
union all
select 'marts.fct_orders', o.order_id, o.gross_revenue_minor, coalesce(sum(l.gross_minor), 0), o.currency
from marts.fct_orders as o
left join marts.fct_order_lines as l using (order_id)
group by o.order_id, o.gross_revenue_minor, o.currency
having o.gross_revenue_minor <> coalesce(sum(l.gross_minor), 0)
order by 1, 2;

-- name: stored_ids
-- Each messageId with the number of its rows.
select message_id, count(*) from raw.events group by message_id;

-- name: terminate_session
-- One of the consumers' sessions in this database, chosen by a number.
with sessions as (
    select pid, row_number() over (order by pid) - 1 as place, count(*) over () as number
    from pg_stat_activity
    where datname = current_database() and application_name = 'mercato consume'
)
select pg_terminate_backend(pid) from sessions where place = %(number)s %% number;

-- name: models_behind
-- Incremental models that haven't read all that another has changed, or not all batches below the watermark. dbt's
-- models of another set of schemas are left out.
select reads.reader
from ops.model_reads as reads
inner join ops.models as models on models.model = reads.model
where reads.version < models.version and not starts_with(reads.reader, %(prefix)s)
union
select model from ops.models
where load_xid < (select load_xid from staging.stg_load_watermark) and not starts_with(model, %(prefix)s)
order by 1;

-- name: compare_tables
-- How many rows of one table the other hasn't, and the other way round; each as often as it occurs. By 128 bits
-- of the row's text.
with counted as (
    select
        hashtextextended(one::text, 1) as hash, hashtextextended(one::text, 2) as more_hash, 1 as rows
    from {one} as one
    union all
    select hashtextextended(other::text, 1), hashtextextended(other::text, 2), -1 from {other} as other
), residuals as (
    select sum(rows) as residual from counted group by hash, more_hash having sum(rows) <> 0
)
select coalesce(sum(residual) filter (where residual > 0), 0), coalesce(-sum(residual) filter (where residual < 0), 0)
from residuals;

-- name: forget_models
delete from ops.models where starts_with(model, %(prefix)s);

-- name: forget_model_changes
delete from ops.model_changes where starts_with(model, %(prefix)s);

-- name: forget_model_reads
delete from ops.model_reads where starts_with(reader, %(prefix)s);
