{{ config(materialized='table') }}

-- Every transaction before xmin has ended, so no batch before it can still appear. A time or a sequence can't
-- promise that: a batch that began earlier may commit later and would be passed over for ever.
-- As a table: all models of a run, and of runs of later layers, see the same events while loading goes on.
select
    pg_snapshot_xmin(pg_current_snapshot()) as load_xid,
    now() as advanced_at
