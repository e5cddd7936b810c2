-- The landing zone (raw) and the books kept about it (ops).

create schema raw;
create schema ops;

-- Transaction ids order commits for readers. A batch is one transaction; its ledger rows carry the id.
create sequence ops.batch_id_seq;

-- One row an accepted event, as Segment names things. The id alone is unique: a client that sends an event
-- again recomputes its timestamp.
create table raw.events (
    message_id    text primary key,
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
    source        text not null,
    source_uid    text not null,
    partition     integer not null,
    position      bigint not null,
    batch_id      bigint not null,
    loaded_at     timestamptz not null default now()
);
-- Batches are appended in the order of their ids, or nearly: a block range index costs next to nothing.
create index events_batch_id_idx on raw.events using brin (batch_id);

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
    loaded_at      timestamptz not null default clock_timestamp(),
    primary key (batch_id, source, source_uid, partition),
    unique (source, source_uid, partition, first_position),
    check (received = loaded + duplicate + quarantined),
    check (last_position - first_position + 1 = received + control)
);
create index ledger_load_xid_idx on ops.ledger (load_xid);

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
