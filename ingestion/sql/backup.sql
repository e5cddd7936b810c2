-- name: backup_sums
select
    (select count(*) from raw.events) as events,
    (select count(*) from raw.message_ids) as message_ids,
    (select count(*) from raw.quarantine) as quarantine,
    (select count(*) from ops.ledger) as ledger_rows,
    (select coalesce(sum(received), 0)::bigint from ops.ledger) as received,
    (select coalesce(sum(next_position), 0)::bigint from ops.positions) as positions,
    (select count(*) from ops.models) as models;

-- name: applied_migrations
select name from public.mercato_migrations order by name;

-- name: holds_anything
select to_regclass('ops.ledger') is not null;

-- name: holds_data
select exists (select 1 from ops.ledger) or exists (select 1 from raw.events) or exists (select 1 from ops.models);

-- name: renumber_ledger
update ops.ledger as ledger
set load_xid = (3 + (select count(*) from marks where marks.load_xid <= ledger.load_xid))::text::xid8;

-- name: renumber_models
update ops.models as models
set load_xid = (3 + marks.place)::text::xid8
from marks
where marks.load_xid = models.load_xid;

-- name: renumber_watermark
update {} as watermark
set load_xid = (3 + marks.place)::text::xid8
from marks
where marks.load_xid = watermark.load_xid;
