-- How late runs begin, and at what prices products are put into carts and sold.

-- When Airflow should have begun the run: the end of a scheduled run's interval, the moment of asking for any other.
-- Null of runs that were recorded before.
alter table ops.dag_runs add column due_at timestamptz;
alter table ops.dag_runs add column delay_s numeric generated always as (extract(epoch from started_at - due_at)) stored;

-- Prices of the lines of Product Added and Order Completed, by the hour in which they occurred. A row a source and
-- partition, as in ops.event_hours: no worker waits for another.
create table ops.price_hours (
    hour        timestamptz not null,
    product_id  text not null,
    currency    text not null,
    source      text not null,
    partition   integer not null,           -- the lowest of the batch
    lines       bigint not null,
    price_minor bigint not null,            -- the sum of the lines' prices of one piece, minor units
    primary key (product_id, currency, hour, source, partition)
) with (fillfactor = 50);
create index price_hours_hour_idx on ops.price_hours using brin (hour) with (autosummarize = on);

-- What was loaded before this migration counts, too: as ingestion/rollup.py counts, as far back as is kept.
insert into ops.price_hours (hour, product_id, currency, source, partition, lines, price_minor)
select
    date_trunc('hour', e.timestamp, 'UTC'), line ->> 'product_id', c.currency, 'before 0009', 0, count(*),
    sum(round((line ->> 'price')::numeric * ops.minor_per_major(c.currency)))
from raw.events as e
cross join lateral (select upper(coalesce(e.properties ->> 'currency', 'USD')) as currency) as c
cross join lateral jsonb_array_elements(
    case e.event when 'Product Added' then jsonb_build_array(e.properties) else e.properties -> 'products' end) as line
where e.type = 'track' and e.event in ('Product Added', 'Order Completed') and e.timestamp > now() - interval '35 days'
    and line ->> 'product_id' is not null and line ->> 'price' is not null
group by 1, 2, 3;

-- One row an hour, product and currency: the mean price of one piece among the lines put into carts and ordered.
create view ops.hourly_prices as
select
    hour, product_id, currency, sum(lines)::bigint as lines,
    (sum(price_minor) / sum(lines) / ops.minor_per_major(currency))::numeric(22, 3) as price
from ops.price_hours
group by hour, product_id, ops.price_hours.currency;

-- By how much of the usual each product's price fell in this hour or the last: the lower of the two. Usual is the middle
-- one of the hours of the two weeks before in which it was asked for; three of these at least, and no mean, so that one
-- wrong price doesn't make the right ones look low. Only products that are asked for now are looked up.
create function ops.alert_prices(at timestamptz) returns table (product_id text, currency text, value double precision)
language sql stable as $$
    with late as (
        select h.product_id, h.currency, min(h.price_minor / h.lines) as price
        from (
            select p.product_id, p.currency, sum(p.price_minor) as price_minor, sum(p.lines) as lines
            from ops.price_hours as p
            where p.hour > at - interval '2 hours' and p.hour < at
            group by p.hour, p.product_id, p.currency
        ) as h
        group by h.product_id, h.currency
    )
    select l.product_id, l.currency, greatest(0, 1 - l.price / nullif(u.price, 0))::double precision
    from late as l
    cross join lateral (
        select percentile_cont(0.5) within group (order by p.price_minor / p.lines) as price
        from ops.price_hours as p
        where p.product_id = l.product_id and p.currency = l.currency
            and p.hour > at - interval '14 days' and p.hour <= at - interval '2 hours'
        having count(*) >= 3
    ) as u
    where u.price > 0
$$;

-- As before (0008), and the loader counts prices.
create or replace function ops.grant_roles() returns void
language plpgsql as $$
begin
    execute format('revoke all on database %I from public', current_database());
    revoke execute on all functions in schema raw, ops from public;
    if to_regrole('mercato_loader') is not null then
        execute format('grant connect on database %I to mercato_loader', current_database());
        grant usage on schema raw, ops to mercato_loader;
        -- on conflict and returning read the id, nothing else is read
        grant insert, select (message_id) on raw.message_ids to mercato_loader;
        grant insert on raw.events, raw.quarantine, ops.ledger to mercato_loader;
        execute format('grant select, insert, update on %s to mercato_loader', ops.existing(
            'ops.positions', 'ops.delays', 'ops.schema_drift_by_partition', 'ops.event_hours', 'ops.live_events',
            'ops.price_hours'));
        grant execute on function ops.add_counts to mercato_loader;
        grant usage on sequence ops.batch_id_seq to mercato_loader;
    end if;
    if to_regrole('mercato_transformer') is not null then
        perform ops.grant_transformer();
    end if;
    if to_regrole('mercato_reader') is not null then
        perform ops.grant_reader();
    end if;
end $$;
