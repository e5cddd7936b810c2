-- The landing zone (raw) and the books kept about it (ops).

create schema raw;
create schema ops;

-- Transaction ids order commits for readers. A batch is one transaction; its ledger rows carry the id.
create sequence ops.batch_id_seq;

-- Every messageId ever accepted: the guard of uniqueness, over all partitions of raw.events. An id alone is
-- unique: a client that sends an event again recomputes its timestamp. A table of its own, because a unique
-- index of a partitioned table must contain the partition key.
create table raw.message_ids (
    message_id text primary key,
    batch_id   bigint not null
);

-- One row an accepted event, as Segment names things. Its id is claimed in raw.message_ids before, in the same
-- transaction. Partitioned by the month of loading, so that retention drops whole months.
create table raw.events (
    message_id    text not null,
    type          text not null,
    event         text,
    user_id       text,
    anonymous_id  text,
    timestamp     timestamptz not null,
    sent_at       timestamptz,
    received_at   timestamptz,
    context       jsonb,
    properties    jsonb,
    traits        jsonb,
    partition     integer not null,
    position      bigint not null,
    batch_id      bigint not null,
    loaded_at     timestamptz not null default now()
) partition by range (loaded_at);
-- Batches are appended in the order of their ids, or nearly: a block range index costs next to nothing.
create index events_batch_id_idx on raw.events using brin (batch_id) with (autosummarize = on);
-- What no month is ready for lands here, and moves when its month is made: nothing is refused.
create table raw.events_default partition of raw.events default;

-- Makes the partitions of this month and of so many after it, rows of the default partition moved; returns
-- the names of those that were made.
create function raw.make_partitions(months_ahead integer) returns setof text
language plpgsql set timezone = 'UTC' as $$
declare
    month timestamptz;
    name text;
begin
    perform pg_advisory_xact_lock(7305115242);
    for month in
        select generate_series(
            (select least(date_trunc('month', now()), date_trunc('month', min(loaded_at))) from raw.events_default),
            date_trunc('month', now()) + make_interval(months => months_ahead), '1 month')
    loop
        name := format('events_%s', to_char(month, 'YYYY_MM'));
        continue when to_regclass(format('raw.%I', name)) is not null;
        execute format('create table raw.%I (like raw.events including defaults)', name);
        execute format(
            'with moved as (delete from raw.events_default where loaded_at >= %L and loaded_at < %L returning *) '
            'insert into raw.%I select * from moved', month, month + interval '1 month', name);
        execute format('alter table raw.events attach partition raw.%I for values from (%L) to (%L)',
            name, month, month + interval '1 month');
        return next name;
    end loop;
end $$;

-- Drops the months that ended before that moment, their events and the ids of these; returns their names.
create function raw.drop_partitions(before timestamptz) returns setof text
language plpgsql set timezone = 'UTC' as $$
declare
    month timestamptz;
    name text;
begin
    perform pg_advisory_xact_lock(7305115242);
    for name, month in
        select relname, to_timestamp(right(relname, 7), 'YYYY_MM')
        from pg_class
        where relnamespace = 'raw'::regnamespace and relkind = 'r' and relname ~ '^events_[0-9]{4}_[0-9]{2}$'
            and to_timestamp(right(relname, 7), 'YYYY_MM') + interval '1 month' <= before
        order by relname
    loop
        delete from raw.message_ids where batch_id in (
            select batch_id from ops.ledger where loaded_at >= month and loaded_at < month + interval '1 month');
        execute format('drop table raw.%I', name);
        insert into ops.dropped_months (month, batches, events)
        select month, count(distinct batch_id), coalesce(sum(loaded), 0)
        from ops.ledger where loaded_at >= month and loaded_at < month + interval '1 month';
        return next name;
    end loop;
end $$;

-- One row a rejected record, with its bytes and the reason.
create table raw.quarantine (
    quarantine_id    bigint generated always as identity primary key,
    reason           text not null,
    detail           text not null,
    raw              bytea not null,
    source           text not null,
    source_uid       text not null,
    partition        integer not null,
    position         bigint not null,
    contract_version integer not null,
    batch_id         bigint not null,
    first_seen_at    timestamptz not null default now(),
    last_seen_at     timestamptz not null default now(),
    unique (source, source_uid, partition, position)
);

-- Where each source continues. source_uid tells what positions count in: a Kafka topic's id, a file's hash.
create table ops.positions (
    source        text not null,
    source_uid    text not null,
    partition     integer not null,
    next_position bigint not null check (next_position >= 0),
    first_position bigint not null default 0, -- the oldest that was there when it was first read
    updated_at    timestamptz not null default now(),
    primary key (source, source_uid, partition)
);

-- One row a batch and partition. Balances by constraint: what was taken is loaded, known or quarantined.
-- control: offsets of the range that hold no record (transaction markers, compacted records).
create table ops.ledger (
    batch_id       bigint not null,
    source         text not null,
    source_uid     text not null,
    partition      integer not null,
    first_position bigint not null,
    last_position  bigint not null,
    received       bigint not null,
    loaded         bigint not null,
    duplicate      bigint not null,
    quarantined    bigint not null,
    control        bigint not null default 0,
    bytes          bigint not null,
    load_xid       xid8 not null default pg_current_xact_id(),
    loaded_at      timestamptz not null default now(),  -- as its rows have it, so of one month with them
    primary key (batch_id, source, source_uid, partition),
    unique (source, source_uid, partition, first_position),
    check (received = loaded + duplicate + quarantined),
    check (last_position - first_position + 1 = received + control)
);
create index ledger_load_xid_idx on ops.ledger (load_xid);

-- Months of loading whose events were dropped on purpose: the ledger still books them, raw no longer has them.
create table ops.dropped_months (
    month      timestamptz primary key,
    batches    bigint not null,
    events     bigint not null,
    dropped_at timestamptz not null default now()
);

-- The batches whose events are to be in raw.
create view ops.kept_ledger as
select * from ops.ledger where date_trunc('month', loaded_at, 'UTC') not in (select month from ops.dropped_months);

-- How long records took, counted by minute, worker and delay. stage: produced (to the broker) or occurred (on
-- the client's clock), each to visible here. counts[i]: records that took less than 2^(i/4) ms and no less than
-- 2^((i-1)/4), of a sample weighted to all; a row a worker, so that workers don't wait for each other.
create table ops.delays (
    minute timestamptz not null,
    worker integer not null,  -- process id of the server's backend
    stage  text not null check (stage in ('produced', 'occurred')),
    counts bigint[] not null,
    primary key (minute, worker, stage)
);

create function ops.add_counts(a bigint[], b bigint[]) returns bigint[]
language sql immutable parallel safe return (
    select array_agg(coalesce(x, 0) + coalesce(y, 0) order by i)
    from unnest(a, b) with ordinality as both_counts (x, y, i)
);

-- One row a minute and stage: at most so many milliseconds for half, 95 and 99 of a hundred records (an upper
-- bound: delays are kept in steps of 19 %).
create view ops.freshness as
with steps as (
    select minute, stage, i as step, sum(n) as records
    from ops.delays, unnest(counts) with ordinality as each (n, i)
    group by minute, stage, i
), shares as (
    select
        minute, stage, step, records,
        sum(records) over (partition by minute, stage order by step) as up_to,
        sum(records) over (partition by minute, stage) as total
    from steps
)
select
    minute, stage, max(total) as records,
    round(power(2, min(step) filter (where up_to >= 0.50 * total) / 4.0)) as p50_ms,
    round(power(2, min(step) filter (where up_to >= 0.95 * total) / 4.0)) as p95_ms,
    round(power(2, min(step) filter (where up_to >= 0.99 * total) / 4.0)) as p99_ms
from shares
where total > 0
group by minute, stage;

-- Each dbt node's result, written by the project's on-run-end hook.
create table ops.dbt_results (
    invocation_id  text not null,
    unique_id      text not null,
    resource_type  text not null,
    name           text not null,
    status         text not null,
    message        text,
    failures       bigint,
    rows_affected  bigint,
    duration_s     numeric not null,
    started_at     timestamptz,
    completed_at   timestamptz,
    command        text not null,
    dag_id         text,
    dag_run_id     text,
    recorded_at    timestamptz not null default clock_timestamp(),
    primary key (invocation_id, unique_id)
);
