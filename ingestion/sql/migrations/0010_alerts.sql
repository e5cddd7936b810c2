-- Fewer wrong alarms of an unusual number of events, and none before the models have run.

-- As before (0007), but for the upper end: two fifths above the highest of the weeks, or twice the highest if one of them
-- had none, then what chance does, then ten: fewer than that are no crowd. What some weeks have and others lack, a
-- promotion above all, rang whenever it went better than the last. And only hours that are over: any other looks as if
-- events had ceased.
create or replace function ops.event_bands(first timestamptz, last timestamptz) returns table (
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
        cross join generate_series(
            date_trunc('hour', event_bands.first), least(event_bands.last, date_trunc('hour', now())) - interval '1 us',
            interval '1 hour') as h (hour)
        cross join generate_series(1, 4) as w (back)
        left join counted as c on c.event = k.event and c.hour = h.hour - w.back * interval '7 days'
        where h.hour - w.back * interval '7 days' >= k.since
        group by h.hour, k.event
    )
    select
        p.hour, p.event, coalesce(c.events, 0)::bigint,
        case when p.weeks > 1 then p.expected::numeric(22, 2) end,
        case when p.weeks > 1 then greatest(0, 0.6 * p.least - 3 * sqrt(p.expected))::numeric(22, 2) end,
        case when p.weeks > 1 then
            (case when p.least = 0 then 2 else 1.4 end * p.most + 4 * sqrt(p.expected) + 10)::numeric(22, 2) end
    from past as p
    left join counted as c on c.event = p.event and c.hour = p.hour
$$;

-- The twenty best sellers, and 1 of those of which none is left. Nothing while the models have never run: their table is
-- not there yet, and Grafana would tell people of an error.
create function ops.alert_stock() returns table (product_id text, product text, value double precision)
language plpgsql stable as $$
begin
    if to_regclass('reports.rpt_sell_through') is null then
        return;
    end if;
    return query execute
        'select product_id, coalesce(product_name, ''''), coalesce(on_hand = 0, false)::integer::double precision'
        ' from reports.rpt_sell_through where sold > 0 order by sold desc, product_id limit 20';
end $$;
