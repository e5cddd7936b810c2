-- What each incremental model of dbt has taken in and what it changed. Written by the models' own transactions
-- (dbt_project/macros/incremental.sql): a model's rows and these rows move together or not at all.

-- One row a model, `schema.name`. Its row is locked while the model is built, so its versions are in the order of
-- their commits: who sees one sees all before it.
create table ops.models (
    model      text primary key,
    version    bigint not null default 0,   -- one more with each run that changed a row
    log_from   bigint not null default 0,   -- the change log holds every version after this one
    load_xid   xid8,                        -- of models on raw: batches of the ledger below it are in
    checksum   text,                        -- of the query that made the rows; another query makes them all anew
    changed_at timestamptz
);

-- The keys of rows that came, went or changed, the old ones and the new ones; kept until every reader has them.
create table ops.model_changes (
    model   text not null,
    version bigint not null,
    kind    text not null,                  -- which key: order_id, day, …
    key     text not null
);
create index model_changes_idx on ops.model_changes (model, kind, version);

-- Up to which version of a model each reader of it has taken the changes.
create table ops.model_reads (
    reader  text not null,
    model   text not null,
    version bigint not null,
    primary key (reader, model)
);
