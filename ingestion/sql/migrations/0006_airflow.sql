-- What Airflow ran, so that dashboards and alerts need no second system. Written by airflow/plugins, by the tasks
-- themselves and, when a run ends, for all its tasks: one that was killed or never started is there too.

create table ops.dag_runs (
    dag_id      text not null,
    run_id      text not null,
    run_type    text not null,          -- scheduled, manual, asset_triggered, …
    state       text not null,          -- running, success, failed
    started_at  timestamptz,
    ended_at    timestamptz,
    duration_s  numeric generated always as (extract(epoch from ended_at - started_at)) stored,
    primary key (dag_id, run_id)
);
create index dag_runs_started_at_idx on ops.dag_runs (started_at);

create table ops.task_runs (
    dag_id      text not null,
    run_id      text not null,
    task_id     text not null,
    state       text not null,          -- running, success, failed, up_for_retry, skipped, upstream_failed, …
    try_number  integer not null,       -- the last one; 0: it never started
    started_at  timestamptz,
    ended_at    timestamptz,
    duration_s  numeric generated always as (extract(epoch from ended_at - started_at)) stored,
    error       text,                   -- of the last try that failed, in its own words
    primary key (dag_id, run_id, task_id)
);

-- Which task of the run dbt worked for.
alter table ops.dbt_results add column task_id text;
create index dbt_results_dag_run_idx on ops.dbt_results (dag_run_id, dag_id);
create index dbt_results_recorded_at_idx on ops.dbt_results (recorded_at);

-- A run as it went: each task, and each model and test in it, with what it did to how many rows. rows: those that a
-- model wrote or that fail a test; of a task, those that its models wrote.
create view ops.run_timeline as
select
    t.dag_id, t.run_id, t.task_id, 'task' as kind, t.task_id as name, t.state as status,
    t.started_at, t.ended_at, t.duration_s,
    (select sum(d.rows_affected) from ops.dbt_results as d
        where d.dag_id = t.dag_id and d.dag_run_id = t.run_id and d.task_id = t.task_id and d.resource_type = 'model'
    )::bigint as rows,
    t.error
from ops.task_runs as t
union all
select
    dag_id, dag_run_id, task_id, resource_type, name, status, started_at, completed_at, duration_s,
    case when resource_type = 'model' then rows_affected else failures end,
    case when status not in ('success', 'pass') then message end
from ops.dbt_results
where dag_run_id is not null;

-- Keys whose rows `mercato backfill` wants computed again; the model's next run does it and takes them out, in the
-- transaction that writes the rows.
create table ops.model_keys_due (
    model        text not null,
    key          text not null,
    requested_at timestamptz not null default now(),
    primary key (model, key)
);

-- By which contract and limits quarantine was tried: only another door can let more records through.
create table ops.replays (
    door        text primary key,
    replayed_at timestamptz not null default now()
);
