-- name: layer_behind
-- Of these models: those never built, and those that haven't read all that another changed, or not all batches below
-- the watermark.
select model from unnest(%(models)s::text[]) as due (model) where model not in (select model from ops.models)
union
select reads.reader
from ops.model_reads as reads
inner join ops.models as models on models.model = reads.model
where reads.reader = any(%(models)s) and reads.version < models.version
union
select model from ops.models
where model = any(%(models)s) and load_xid < (select load_xid from staging.stg_load_watermark)
order by 1;

-- name: watermark_before
-- The load watermark, if it was last moved before that moment.
select 'staging.stg_load_watermark'
where not exists (select 1 from staging.stg_load_watermark where advanced_at >= %(began)s);

-- name: record_dag_run
insert into ops.dag_runs (dag_id, run_id, run_type, state, due_at, started_at, ended_at)
values (%(dag_id)s, %(run_id)s, %(run_type)s, %(state)s, %(due_at)s, %(started_at)s, %(ended_at)s)
on conflict (dag_id, run_id) do update set
    state = excluded.state, ended_at = excluded.ended_at,
    started_at = coalesce(excluded.started_at, ops.dag_runs.started_at);

-- name: record_task_run
-- Without an error the last try's stays: a task that was tried again went wrong before.
insert into ops.task_runs (dag_id, run_id, task_id, state, try_number, started_at, ended_at, error)
values (%(dag_id)s, %(run_id)s, %(task_id)s, %(state)s, %(try_number)s, %(started_at)s, %(ended_at)s, %(error)s)
on conflict (dag_id, run_id, task_id) do update set
    state = excluded.state, try_number = excluded.try_number, ended_at = excluded.ended_at,
    started_at = coalesce(excluded.started_at, ops.task_runs.started_at),
    error = coalesce(excluded.error, ops.task_runs.error);

-- name: last_runs
select dag_id, run_id, run_type, state, started_at, duration_s
from ops.dag_runs
where %(dag)s::text is null or dag_id = %(dag)s
order by started_at desc nulls last
limit %(limit)s;

-- name: run_timeline
select kind, task_id, name, status, started_at, duration_s, rows, error
from ops.run_timeline
where dag_id = %(dag_id)s and run_id = %(run_id)s
order by started_at nulls last, kind = 'task' desc, name;

-- name: errors_of_run
select task_id, coalesce(error, state) from ops.task_runs
where dag_id = %(dag_id)s and run_id = %(run_id)s and state = 'failed'
order by ended_at;

-- name: daily_never_made
select to_regclass('reports.rpt_daily_sales') is not null and to_regclass('reports.rpt_as_of') is null;

-- name: raw_ahead
-- Events loaded since the watermark up to which the models were built, and that watermark; null before the first run.
with watermark as (
    select max(load_xid) as load_xid from staging.stg_load_watermark
)
select
    (select coalesce(sum(ledger.loaded), 0)::bigint
        from ops.ledger as ledger where ledger.load_xid >= coalesce(watermark.load_xid, '0'::xid8)),
    watermark.load_xid::text
from watermark;

-- name: raw_rows
select coalesce(sum(loaded), 0)::bigint from ops.ledger;

-- name: stream_positions
select partition, next_position from ops.positions where source = %(source)s and source_uid = %(source_uid)s;

-- name: seconds_since_load
select extract(epoch from clock_timestamp() - max(loaded_at))::float8 from ops.ledger;

-- name: door_is_known
select exists (select 1 from ops.replays where door = %(door)s);

-- name: note_door
insert into ops.replays (door) values (%(door)s) on conflict (door) do update set replayed_at = now();

-- name: period_columns
-- Of each table, its first column that says when, and the type of a given column.
select
    format('%%s.%%s', c.relnamespace::regnamespace, c.relname),
    (
        select attname from pg_attribute
        where attrelid = c.oid and attnum > 0 and not attisdropped
            and atttypid = any('{date,timestamp,timestamptz}'::regtype[])
        order by attnum limit 1
    ),
    (select format_type(atttypid, atttypmod) from pg_attribute where attrelid = c.oid and attname = due.key)
from unnest(%(models)s::text[], %(keys)s::text[]) as due (model, key)
inner join pg_class as c on c.oid = to_regclass(due.model);

-- name: lock_models
-- So that no run takes keys out while they are put in.
select model from ops.models where model = any(%(models)s) order by model for update;

-- name: keys_due
select model, count(*) from ops.model_keys_due where model = any(%(models)s) group by model order by model;

-- name: due_steps
-- A key of a model whose key is a time: each step of the period.
insert into ops.model_keys_due (model, key)
select {model}, cast(cast(step as {type}) as text)
from generate_series({since}::timestamp, {until}::timestamp - {step}::interval, {step}::interval) as steps (step)
on conflict do nothing;

-- name: due_rows
-- The keys of a table's rows in the period, told as it tells its readers.
insert into ops.model_keys_due (model, key)
select distinct {model}, cast({key} as text)
from {table}
where {time} >= {since} and {time} < {until} and {key} is not null
on conflict do nothing;

-- name: vacuum_tables
-- What grows and changes all the time, and is read by planner and dashboards.
select format('%I.%I', relnamespace::regnamespace, relname)
from pg_class
where relkind = 'r' and relnamespace::regnamespace::text in
    ('raw', 'ops', 'staging', 'intermediate', 'marts', 'reports')
order by 1;

-- name: forget_results
-- Results older than that; the last of each node stays, however old.
delete from ops.dbt_results as old
where recorded_at < now() - make_interval(days => %(days)s)
    and exists (
        select 1 from ops.dbt_results as newer
        where newer.unique_id = old.unique_id and newer.recorded_at > old.recorded_at
    );

-- name: forget_task_runs
delete from ops.task_runs as t
using ops.dag_runs as d
where d.dag_id = t.dag_id and d.run_id = t.run_id and d.started_at < now() - make_interval(days => %(days)s);

-- name: forget_dag_runs
delete from ops.dag_runs where started_at < now() - make_interval(days => %(days)s);

-- name: forget_delays
delete from ops.delays where minute < now() - make_interval(days => %(days)s);

-- name: report_tables
select relname from pg_class
where relkind in ('r', 'v', 'm') and relnamespace = to_regnamespace(%(schema)s)
order by relname;

-- name: copy_table
copy (select * from {table} as t order by t) to stdout with (format csv, header);
