-- What dashboards and alerts read before dbt has run: roll-ups kept by the batches themselves, and views that
-- answer one question each. Read as mercato_reader, which sees ops and reports and nothing else.

-- Loaded events by the hour in which they occurred, and by the ten seconds in which they came. A row a source and
-- partition: a batch holds the lock on its partitions' positions, so no worker waits for another.
-- amount_minor: of Order Completed, Σ price × quantity − discount in minor units of the currency; else 0.
create table ops.event_hours (
    hour         timestamptz not null,
    event        text not null,             -- of track; else page, identify
    currency     text not null,             -- of Order Completed; else ''
    source       text not null,
    partition    integer not null,          -- the lowest of the batch
    events       bigint not null,
    late         bigint not null,           -- received more than an hour after they occurred
    amount_minor bigint not null,
    primary key (hour, event, currency, source, partition)
) with (fillfactor = 50); -- room to update a row in its page, batch after batch

create table ops.live_events (
    bucket       timestamptz not null,
    event        text not null,
    currency     text not null,
    source       text not null,
    partition    integer not null,
    events       bigint not null,
    amount_minor bigint not null,
    primary key (bucket, event, currency, source, partition)
) with (fillfactor = 50);

-- Where the source ended when the batch was read: what is between it and next_position waits.
alter table ops.positions add column end_position bigint;

-- Free space of the disk that holds the local state, as last measured by the machine's name.
create table ops.disk (
    machine     text not null,
    path        text not null,
    total_bytes bigint not null,
    free_bytes  bigint not null,
    measured_at timestamptz not null default now(),
    primary key (machine, path)
);

create index ledger_loaded_at_idx on ops.ledger using brin (loaded_at) with (autosummarize = on);

create function ops.minor_per_major(currency text) returns integer
language sql immutable parallel safe return case
    when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND',
        'VUV', 'XAF', 'XOF', 'XPF') then 1
    when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 1000
    else 100
end;

-- What was loaded before this migration counts, too: as ingestion/rollup.py counts.
insert into ops.event_hours (hour, event, currency, source, partition, events, late, amount_minor)
select
    date_trunc('hour', e.timestamp, 'UTC'), case when e.type = 'track' then coalesce(nullif(e.event, ''), e.type) else e.type end,
    coalesce(o.currency, ''), 'before 0007', 0, count(*),
    count(*) filter (where e.received_at - e.timestamp > interval '1 hour'), coalesce(sum(o.amount), 0)
from raw.events as e
left join lateral (
    select
        c.currency,
        (select sum(round((line ->> 'price')::numeric * coalesce((line ->> 'quantity')::numeric, 1) * ops.minor_per_major(c.currency)))
            from jsonb_array_elements(e.properties -> 'products') as line)
        - round(coalesce((e.properties ->> 'discount')::numeric, 0) * ops.minor_per_major(c.currency)) as amount
    from (select upper(coalesce(e.properties ->> 'currency', 'USD')) as currency) as c
) as o on e.type = 'track' and e.event = 'Order Completed'
group by 1, 2, 3;

-- One row ten seconds, event and currency of the last hour.
create view ops.live as
select
    bucket, event, nullif(currency, '') as currency, sum(events)::bigint as events,
    (sum(amount_minor)::numeric / ops.minor_per_major(currency))::numeric(22, 3) as amount
from ops.live_events
where bucket > now() - interval '1 hour'
group by bucket, event, ops.live_events.currency;

-- One row an hour, event and currency: occurred then, loaded whenever.
create view ops.hourly_events as
select
    hour, event, nullif(currency, '') as currency, sum(events)::bigint as events, sum(late)::bigint as late_events,
    (sum(amount_minor)::numeric / ops.minor_per_major(currency))::numeric(22, 3) as amount
from ops.event_hours
group by hour, event, ops.event_hours.currency;

-- One row a source and partition: what was received, what became of it, what waits, and the residual, which is 0
-- or something is lost (above) or booked twice (below).
create view ops.balance as
select
    p.source, p.source_uid, p.partition,
    coalesce(l.received, 0) as received, coalesce(l.loaded, 0) as loaded, coalesce(l.duplicate, 0) as duplicate,
    coalesce(l.quarantined, 0) as quarantined, coalesce(l.control, 0) as control,
    greatest(0, coalesce(p.end_position, p.next_position) - p.next_position) as waiting,
    p.next_position - p.first_position - coalesce(l.received, 0) - coalesce(l.control, 0)
        + coalesce(l.received - l.loaded - l.duplicate - l.quarantined, 0) as residual,
    p.updated_at
from ops.positions as p
left join (
    select
        source, source_uid, partition, sum(received)::bigint as received, sum(loaded)::bigint as loaded,
        sum(duplicate)::bigint as duplicate, sum(quarantined)::bigint as quarantined,
        sum(control)::bigint as control
    from ops.ledger
    group by source, source_uid, partition
) as l using (source, source_uid, partition);

-- One row a source and partition: records that the consumer hadn't read by its last batch. Reads no ledger, so Live may
-- ask it every five seconds.
create view ops.lag as
select source, partition, greatest(0, coalesce(end_position, next_position) - next_position) as waiting, updated_at
from ops.positions;

-- One row an hour of loading and source.
create view ops.hourly_ledger as
select
    date_trunc('hour', loaded_at, 'UTC') as hour, source, sum(received)::bigint as received,
    sum(loaded)::bigint as loaded, sum(duplicate)::bigint as duplicate, sum(quarantined)::bigint as quarantined,
    sum(bytes)::bigint as bytes, count(distinct batch_id) as batches
from ops.ledger
group by 1, source;

-- One row a run of dbt: an Airflow run, or a command by hand. Tasks of a run are commands of their own.
create view ops.runs as
select
    coalesce(dag_id, 'by hand') as dag, coalesce(dag_run_id, invocation_id) as run,
    min(coalesce(started_at, recorded_at)) as started_at, max(coalesce(completed_at, recorded_at)) as ended_at,
    extract(epoch from max(coalesce(completed_at, recorded_at)) - min(coalesce(started_at, recorded_at)))::numeric(12, 1)
        as seconds,
    case when bool_or(status in ('error', 'fail', 'runtime error')) then 'failed' else 'passed' end as state,
    count(*) filter (where resource_type = 'model') as models,
    count(*) filter (where resource_type in ('test', 'unit_test')) as tests,
    count(*) filter (where status in ('error', 'fail', 'runtime error')) as failed,
    count(*) filter (where status = 'skipped') as skipped
from ops.dbt_results
group by 1, 2;

-- One row a model or test: its last result.
create view ops.latest_results as
select distinct on (unique_id)
    unique_id, resource_type, name, status, message, failures, duration_s, completed_at, recorded_at, dag_id,
    status in ('error', 'fail', 'runtime error') as failed
from ops.dbt_results
order by unique_id, recorded_at desc;

-- One row a layer: when data last came (raw), or a model last took it in.
create view ops.layer_freshness as
select 'raw' as layer, 0 as place, loaded_at as fresh_at, extract(epoch from now() - loaded_at)::bigint as age_seconds
from (select loaded_at from ops.ledger order by batch_id desc limit 1) as last
union all
select
    split_part(m.model, '.', 1),
    coalesce(array_position(array['staging', 'intermediate', 'marts', 'reports'], split_part(m.model, '.', 1)), 9),
    max(r.completed_at), extract(epoch from now() - max(r.completed_at))::bigint
from ops.models as m
inner join ops.latest_results as r on r.name = split_part(m.model, '.', 2) and r.resource_type = 'model' and not r.failed
group by 1, 2;

-- One row a dimension of quality: the share of the last day's records (of tests, of their last runs) that are right.
create view ops.quality as
with day as (
    select
        sum(received) as received, sum(quarantined) as quarantined, sum(duplicate) as duplicate
    from ops.ledger
    where loaded_at > (select loaded_at from ops.ledger order by batch_id desc limit 1) - interval '1 day'
        and source <> 'quarantine'
), occurred as (
    select sum(events) as events, sum(late) as late
    from ops.event_hours
    where hour > (select max(hour) from ops.event_hours) - interval '1 day'
), tests as (
    select count(*) as tests, count(*) filter (where failed) as failed from ops.latest_results where resource_type <> 'model'
)
select 'validity' as dimension, 'records that fit the contract' as measure, (1 - quarantined / nullif(received, 0))::numeric(9, 4) as score from day
union all select 'uniqueness', 'records that came once', (1 - duplicate / nullif(received, 0))::numeric(9, 4) from day
union all select 'timeliness', 'events received within an hour', (1 - late / nullif(events, 0))::numeric(9, 4) from occurred
union all select 'consistency', 'tests of the models that pass', (1 - failed::numeric / nullif(tests, 0))::numeric(9, 4) from tests
union all select 'completeness', 'positions of the sources that are booked',
    (1 - sum(abs(residual)) / nullif(sum(received), 0))::numeric(9, 4) from ops.balance;

-- One row an event and hour of [first, last): how many, and how many are usual. Usual is what the same hour of the
-- four weeks before had, widened by what chance does; null where fewer than two of those weeks are known.
create function ops.event_bands(first timestamptz, last timestamptz) returns table (
    hour timestamptz, event text, events bigint, expected numeric, low numeric, high numeric
)
language sql stable set timezone = 'UTC' as $$
    with known as (
        select e.event, min(e.hour) as since from ops.event_hours as e group by e.event
    ), counted as (
        select e.hour, e.event, sum(e.events) as events
        from ops.event_hours as e
        where e.hour >= date_trunc('hour', event_bands.first) - interval '28 days' and e.hour < event_bands.last
        group by e.hour, e.event
    ), past as (
        select
            h.hour, k.event, avg(coalesce(c.events, 0)) as expected, min(coalesce(c.events, 0)) as least,
            max(coalesce(c.events, 0)) as most, count(*) as weeks
        from known as k
        cross join generate_series(date_trunc('hour', event_bands.first), event_bands.last - interval '1 us', interval '1 hour')
            as h (hour)
        cross join generate_series(1, 4) as w (back)
        left join counted as c on c.event = k.event and c.hour = h.hour - w.back * interval '7 days'
        where h.hour - w.back * interval '7 days' >= k.since
        group by h.hour, k.event
    )
    select
        p.hour, p.event, coalesce(c.events, 0)::bigint,
        case when p.weeks > 1 then p.expected::numeric(22, 2) end,
        case when p.weeks > 1 then greatest(0, 0.6 * p.least - 3 * sqrt(p.expected))::numeric(22, 2) end,
        case when p.weeks > 1 then (1.4 * p.most + 4 * sqrt(p.expected) + 4)::numeric(22, 2) end
    from past as p
    left join counted as c on c.event = p.event and c.hour = p.hour
$$;

-- What alert rules ask (grafana/provisioning/alerting): each a few rows of texts and one number, as of `at`. Those that
-- compare look at the last whole hours beside the same hours of the four weeks before, and say 0 where chance alone could
-- have made the difference: an alert that a small shop gets every night is one that nobody reads.

-- How many times the age that is allowed: 15 minutes for raw, 2 hours for the models.
create function ops.alert_freshness(at timestamptz) returns table (layer text, value double precision)
language sql stable as $$
    select l.layer, (extract(epoch from at - l.fresh_at) / case l.layer when 'raw' then 900 else 7200 end)::double precision
    from ops.layer_freshness as l
$$;

-- Share of the last hour's records that went to quarantine; of 100 records at least.
create function ops.alert_quarantine(at timestamptz) returns table (source text, value double precision)
language sql stable as $$
    select l.source, case when sum(l.received) < 100 then 0 else sum(l.quarantined) / sum(l.received) end::double precision
    from ops.ledger as l
    where l.loaded_at > at - interval '1 hour' and l.loaded_at <= at and l.source <> 'quarantine'
    group by l.source
$$;

-- How far an event's number is outside of its band, as a share of what is usual; 0 within.
create function ops.alert_volume(at timestamptz) returns table (event text, direction text, value double precision)
language sql stable as $$
    select b.event, case when b.events < b.low then 'too few' when b.events > b.high then 'too many' else 'usual' end,
        (greatest(b.low - b.events, b.events - b.high, 0) / greatest(b.expected, 1))::double precision
    from ops.event_bands(date_trunc('hour', at) - interval '1 hour', date_trunc('hour', at)) as b
    where b.expected is not null
$$;

-- The last two whole hours, and the mean of the same hours of those of the four weeks before that are known. Two, as one
-- of a shop of three thousand visits a day has a dozen checkouts: too few to tell trouble from chance.
create function ops.same_hours(at timestamptz) returns table (
    event text, currency text, events numeric, amount numeric, usual_events numeric, usual_amount numeric
)
language sql stable as $$
    with ending as (
        select date_trunc('hour', at) as moment
    ), known as (
        select greatest(0, least(4, floor(extract(epoch from max(e.moment) - interval '2 hours' - min(h.hour)) / 604800))) as weeks
        from ops.event_hours as h, ending as e
    )
    select
        h.event, h.currency,
        coalesce(sum(h.events) filter (where h.hour >= e.moment - interval '2 hours'), 0),
        coalesce(sum(h.amount_minor) filter (where h.hour >= e.moment - interval '2 hours'), 0),
        coalesce(sum(h.events) filter (where h.hour < e.moment - interval '2 hours'), 0) / max(k.weeks),
        coalesce(sum(h.amount_minor) filter (where h.hour < e.moment - interval '2 hours'), 0) / max(k.weeks)
    from ending as e
    cross join known as k
    inner join ops.event_hours as h on h.hour in (
        select e.moment - hours * interval '1 hour' - back * interval '7 days'
        from generate_series(1, 2) as hours, generate_series(0, 4) as back)
    where k.weeks >= 2
    group by h.event, h.currency
$$;

-- By how much of the usual the two hours' revenue fell. Three deviations of a sum of as many orders, each of which varies
-- as much as it is worth.
create function ops.alert_revenue(at timestamptz) returns table (currency text, value double precision)
language sql stable as $$
    select h.currency, case
        when h.usual_amount > 0 and 1 - h.amount / h.usual_amount > 3 * sqrt(2 / h.usual_events) then 1 - h.amount / h.usual_amount
        else 0 end::double precision
    from ops.same_hours(at) as h
    where h.event = 'Order Completed'
$$;

-- By how much of the usual a step's share of the step before fell: orders of product views, checkouts of carts.
create function ops.alert_step(at timestamptz, before text, step text) returns table (share text, value double precision)
language sql stable as $$
    with sums as (
        select
            sum(h.events) filter (where h.event = before) as seen, sum(h.events) filter (where h.event = step) as came,
            sum(h.usual_events) filter (where h.event = before) as usual_seen,
            sum(h.usual_events) filter (where h.event = step) as usual_came
        from ops.same_hours(at) as h
    ), expected as (
        select coalesce(came, 0) as came, seen * usual_came / nullif(usual_seen, 0) as usual from sums
    )
    select step || ' of ' || before, case
        when usual > 0 and usual - came > 3 * sqrt(usual) then 1 - came / usual else 0 end::double precision
    from expected
$$;

-- Share of the payments of this hour and the last that failed; of five failures at least, and of more than chance makes
-- of the share of the seven days before.
create function ops.alert_payments(at timestamptz) returns table (payments text, value double precision)
language sql stable as $$
    with sums as (
        select
            coalesce(sum(h.events) filter (where h.event = 'Payment Failed' and h.hour > at - interval '2 hours'), 0) as failed,
            coalesce(sum(h.events) filter (where h.hour > at - interval '2 hours'), 0) as all_of_them,
            coalesce(sum(h.events) filter (where h.event = 'Payment Failed' and h.hour <= at - interval '2 hours'), 0)
                / greatest(coalesce(sum(h.events) filter (where h.hour <= at - interval '2 hours'), 0), 1) as usual_share
        from ops.event_hours as h
        where h.hour > at - interval '7 days' and h.hour < at and h.event in ('Payment Failed', 'Order Completed')
    )
    select 'payments of this hour and the last', case
        when failed >= 5 and failed > all_of_them * usual_share + 3 * sqrt(all_of_them * usual_share) then failed / all_of_them
        else 0 end::double precision
    from sums
$$;

-- What mercato_reader may do: read ops and reports, for a minute at most, never write. Roles belong to the server:
-- whoever runs it makes them (`mercato up` does locally), so this is granted anew at each migration.
create function ops.grant_reader() returns void
language plpgsql as $$
begin
    if to_regrole('mercato_reader') is null then
        return;
    end if;
    execute format('grant connect on database %I to mercato_reader', current_database());
    grant usage on schema ops to mercato_reader;
    grant select on all tables in schema ops to mercato_reader;
    grant execute on all functions in schema ops to mercato_reader;
    revoke execute on function ops.grant_reader, ops.grant_roles from mercato_reader;
    -- dbt makes the reports, under the role that runs this: what it makes later is readable, too.
    create schema if not exists reports;
    grant usage on schema reports to mercato_reader;
    grant select on all tables in schema reports to mercato_reader;
    execute format('alter default privileges for role %I in schema reports grant select on tables to mercato_reader', current_user);
end $$;

-- As before, with what a batch writes since.
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
        grant select, insert, update on ops.positions, ops.delays, ops.schema_drift_by_partition to mercato_loader;
        grant select, insert, update on ops.event_hours, ops.live_events to mercato_loader;
        grant execute on function ops.add_counts to mercato_loader;
        grant usage on sequence ops.batch_id_seq to mercato_loader;
    end if;
    perform ops.grant_reader();
end $$;
