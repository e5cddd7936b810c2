-- name: server_clock
select extract(epoch from clock_timestamp())::double precision,
    (select extract(epoch from max(loaded_at) - clock_timestamp())::double precision from ops.ledger);

-- name: months_without_partition
select to_char(month, 'YYYY-MM')
from generate_series(date_trunc('month', now(), 'UTC'), date_trunc('month', now(), 'UTC') + interval '1 month', '1 month')
    as month
where to_regclass(format('raw.events_%s', to_char(month at time zone 'UTC', 'YYYY_MM'))) is null
order by month;

-- name: rows_without_month
select count(*) from raw.events_default;

-- name: consumers_connected
select count(distinct client_addr::text || pid) from pg_stat_activity
where datname = current_database() and usename = 'mercato_loader';

-- name: seconds_not_transformed
select extract(epoch from clock_timestamp() - min(loaded_at))::double precision
from ops.ledger
where loaded > 0 and load_xid >= (select load_xid from staging.stg_load_watermark);

-- name: seconds_never_transformed
select extract(epoch from clock_timestamp() - min(loaded_at))::double precision from ops.ledger where loaded > 0;

-- name: migrations_unknown
select name from public.mercato_migrations where name <> all(%(known)s) order by name;
