"""The truth equals a recount of the bytes by another program: DuckDB, in SQL, from the lines that were sent."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_generator.config import Config
from data_generator.facts import Record
from data_generator.scenario import Scenario, Window
from data_generator.truth import Truth
from ingestion.decode import Rejected, decode
from tests.streams import END, NOW, stream

HOUR = 3_600_000

# Position and line of each record that the contract accepts → everything that the truth says of them.
PREPARE = r"""
create macro moment(text) as replace(text, 'Z', '')::timestamp;
create macro minor(amount, currency) as
    round(amount::decimal(18, 4) * case currency when 'JPY' then 1 else 100 end)::bigint;
create macro month(moment) as strftime(moment, '%Y-%m');

create table events as
select
    position, line, line->>'$.messageId' as message_id, line->>'$.event' as event,
    line->>'$.anonymousId' as visitor, line->>'$.userId' as user_id, moment(line->>'$.timestamp') as happened,
    coalesce(
        line->>'$.context.location.country', line->>'$.traits.country', right(line->>'$.context.locale', 2)
    ) as country,
    lower(coalesce(line->>'$.context.campaign.medium', '')) as medium,
    case
        when medium in ('cpc', 'ppc', 'paid', 'paid_search', 'paid_social', 'display') then 'paid'
        when medium in ('email', 'newsletter') then 'email'
        when medium in ('social', 'affiliate', 'organic', 'referral') then medium
        when line->>'$.context.campaign.source' <> '' then 'other'
        when line->>'$.context.page.referrer' <> '' then 'referral'
        else 'direct'
    end as channel
from (
    select position, line::json as line
    from read_csv(
        getvariable('good'), delim = E'\x01', quote = '', escape = '', header = false, auto_detect = false,
        columns = {'position': 'bigint', 'line': 'varchar'}
    )
)
qualify row_number() over (partition by message_id order by position) = 1;

create table countries as
select line->>'$.properties.order_id' as order_id, user_id, any_value(country) as country
from events where country is not null group by all;

create table order_lines as
select
    order_id, currency, product->>'$.product_id' as product_id, (product->>'$.quantity')::bigint as units,
    minor((product->>'$.price')::decimal(18, 4) * (product->>'$.quantity')::bigint, currency) as gross
from (
    select
        line->>'$.properties.order_id' as order_id, line->>'$.properties.currency' as currency,
        unnest(json_extract(line, '$.properties.products[*]')) as product
    from events where event = 'Order Completed'
);

create table orders as
select
    e.line->>'$.properties.order_id' as order_id, e.user_id, e.country, currency, e.channel, e.happened,
    sums.units, sums.gross, minor(e.line->>'$.properties.discount', currency) as discount,
    minor(e.line->>'$.properties.shipping', currency) as shipping,
    minor(e.line->>'$.properties.tax', currency) as tax
from events as e
join (select order_id, currency, sum(units)::bigint as units, sum(gross)::bigint as gross
      from order_lines group by all) as sums on sums.order_id = e.line->>'$.properties.order_id'
where e.event = 'Order Completed';

create table refunds as
select
    e.line->>'$.properties.order_id' as order_id, e.user_id, e.line->>'$.properties.currency' as currency, e.happened,
    coalesce(
        e.country,
        (select any_value(c.country) from countries as c where c.order_id = e.line->>'$.properties.order_id'),
        (select any_value(c.country) from countries as c where c.user_id = e.user_id)
    ) as country,
    minor(e.line->>'$.properties.subtotal', e.line->>'$.properties.currency') as subtotal
from events as e where e.event = 'Order Refunded';

create table sessions as
with marked as (
    select *, happened - lag(happened) over in_order > interval 30 minutes as begins
    from events where visitor is not null
    window in_order as (partition by visitor order by happened, message_id)
), numbered as (
    select *, count(*) filter (where begins) over (
        partition by visitor order by happened, message_id rows unbounded preceding) as number
    from marked
)
select
    visitor, min(happened) as start, max(happened) as "end", count(*) as events,
    coalesce(bool_or(event = 'Order Completed'), false) as converted,
    first(channel order by happened, message_id) as channel
from numbered group by visitor, number;

create table booked as
select happened, country, currency, user_id, 1 as orders, units, gross, discount, 0 as refund, shipping, tax from orders
union all
select happened, country, currency, user_id, 0, 0, 0, 0, subtotal, 0, 0 from refunds;

create table cohorts as
select *, month(min(happened) over (partition by user_id)) as cohort from orders;
"""

SUMS = """
    sum(orders)::bigint as orders, sum(units)::bigint as units, sum(gross)::bigint as gross_revenue_minor,
    sum(discount)::bigint as discounts_minor, sum(refund)::bigint as refunds_minor,
    sum(gross - discount - refund)::bigint as net_revenue_minor,
    sum(shipping)::bigint as shipping_minor, sum(tax)::bigint as tax_minor
"""
# One a list of the summary.
SUMMARY = {
    "by_day": f"select strftime(happened, '%Y-%m-%d') as day, currency, {SUMS} from booked group by 1, 2",
    "by_country": f"select country, currency, {SUMS} from booked group by 1, 2",
    "sessions_by_day": """
        select strftime(start, '%Y-%m-%d') as day, count(*) as sessions,
            count(*) filter (where converted) as converted_sessions
        from sessions group by 1""",
    "by_product": """
        select product_id, currency, count(distinct order_id) as orders, sum(units)::bigint as units,
            sum(gross)::bigint as gross_revenue_minor
        from order_lines group by 1, 2""",
    "by_channel": """
        select channel, sum(s)::bigint as sessions, sum(c)::bigint as converted_sessions, sum(o)::bigint as orders
        from (select channel, 1 as s, converted::int as c, 0 as o from sessions
              union all select channel, 0, 0, 1 from orders)
        group by 1""",
    "by_cohort": """
        select cohort, month(happened) as month, count(distinct user_id) as customers, count(*) as orders
        from cohorts group by 1, 2""",
    "by_cohort_revenue": """
        select cohort, month(happened) as month, currency, sum(gross)::bigint as gross_revenue_minor
        from cohorts group by 1, 2, 3""",
}
# One a file of the folder; the times as the file writes them.
STAMP = "strftime({0}, '%Y-%m-%dT%H:%M:%S.%g') || 'Z'"
FILES = {
    "orders": f"""
        select order_id, user_id, country, currency, channel, {STAMP.format("happened")} as "at", units,
            gross as gross_minor, discount as discount_minor, shipping as shipping_minor, tax as tax_minor
        from orders""",
    "refunds": f"""
        select order_id, user_id, country, currency, {STAMP.format("happened")} as "at", subtotal as subtotal_minor
        from refunds""",
    "sessions": f"""
        select visitor, {STAMP.format("start")} as start, {STAMP.format('"end"')} as "end", events, converted, channel
        from sessions""",
    "customers": """
        select user_id, strftime(min(happened) filter (where orders > 0), '%Y-%m-%d') as first_order_day,
            sum(orders)::bigint as orders, currency, sum(gross)::bigint as gross_revenue_minor,
            sum(discount)::bigint as discounts_minor, sum(refund)::bigint as refunds_minor
        from booked group by user_id, currency""",
}


def recount(records: list[Record], folder: Path) -> tuple[duckdb.DuckDBPyConnection, dict[str, int]]:
    """The tables, and how many records were sent, and how many of them were refused for which reason."""
    good, counts = folder / "good.txt", {"sent": 0}
    with good.open("wb") as file:
        for position, record in enumerate(records):
            if record.line is None:
                continue
            counts["sent"] += 1
            found = decode(record.line, NOW, 1_000_000)
            if isinstance(found, Rejected):
                counts[found.reason] = counts.get(found.reason, 0) + 1
            else:
                file.write(b"%d\x01%s\n" % (position, record.line))
    base = duckdb.connect()
    base.execute("set variable good = ?", [str(good)])
    base.execute(PREPARE)
    return base, counts


def rows(base: duckdb.DuckDBPyConnection, select: str) -> list[dict[str, Any]]:
    cursor = base.execute(select)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def ordered(found: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in found)


def prove(records: list[Record], config: Config, folder: Path) -> dict[str, Any]:
    """Compare every figure of the truth about these records with the recount; returns the summary."""
    truth = Truth(config, folder / "truth.d")
    for start in range(0, len(records), 1_000):
        truth.add(records[start : start + 1_000])
    truth.write(folder / "truth.json")
    summary: dict[str, Any] = json.loads((folder / "truth.json").read_bytes())
    base, counts = recount(records, folder)
    for name, select in SUMMARY.items():
        assert ordered(summary[name]) == ordered(rows(base, select)), name
    for name, select in FILES.items():
        written = [json.loads(line) for line in (folder / f"truth.d/{name}.ndjson").open()]
        if name == "orders":
            assert_lines(base, written)
        if name == "customers":
            whole, written = written, []
            for row in whole:
                money = row.pop("by_currency")
                written += [row | one for one in money]
        assert ordered(written) == ordered(rows(base, select)), name
    [(loaded,)] = base.execute("select count(*) from events").fetchall()
    refused = sum(counts.values()) - counts["sent"]
    assert (summary["sent"], summary["loaded"]) == (counts["sent"], loaded)
    assert summary["quarantined"] == refused
    assert summary["duplicate"] == counts["sent"] - refused - loaded
    for reason, many in summary["quarantined_by_reason"].items():
        assert many == counts.get(reason, 0), reason
    [(customers, orders, units)] = base.execute(
        "select count(distinct user_id), count(*), coalesce(sum(units), 0)::bigint from orders"
    ).fetchall()
    totals = summary["totals"]
    assert (totals["customers"], totals["orders"], totals["units"]) == (customers, orders, units)
    assert ordered(totals["by_currency"]) == ordered(
        rows(base, f"select * exclude (orders, units) from (select currency, {SUMS} from booked group by 1)")
    )
    return summary


def assert_lines(base: duckdb.DuckDBPyConnection, written: list[dict[str, Any]]) -> None:
    lines = [{"order_id": row["order_id"], **line} for row in written for line in row.pop("lines")]
    assert ordered(lines) == ordered(
        rows(base, "select order_id, product_id, units, gross as gross_minor from order_lines")
    )


def test_a_long_history_with_every_fault_equals_its_recount(tmp_path: Path) -> None:
    config = Config(7, END, 150, 100, 0.05)
    summary = prove(stream(config, 0.05), config, tmp_path)
    assert min(summary["faults"].values()) > 100
    assert len(summary["by_cohort"]) > 10
    assert summary["silenced"] == 0


@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.01, 0.2, 0.5]), st.integers(1, 100))
@settings(max_examples=12, deadline=None)
def test_the_truth_equals_its_recount_for_any_seed(seed: int, faults: float, days: int) -> None:
    config = Config(seed, END, days, 20, faults)
    with tempfile.TemporaryDirectory() as folder:
        prove(stream(config, faults), config, Path(folder))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.97])
def test_a_history_that_is_stopped_early_equals_its_recount(tmp_path: Path, share: float) -> None:
    config = Config(3, END, 60, 60, 0.2)
    records = stream(config, {"very_late": 0.05, "late": 0.05, "out_of_order": 0.05, "duplicate": 0.05})
    prove(records[: int(share * len(records))], config, tmp_path)


def test_a_history_with_a_silence_equals_its_recount_and_the_swallowed_are_counted(tmp_path: Path) -> None:
    config = Config(5, END, 20, 200, 0.05)
    noon = config.start_ms + 9 * 24 * HOUR + 12 * HOUR
    scenario = Scenario(
        (
            Window("silence", noon, noon + 8 * HOUR, 1.0),
            Window("silence", noon + 48 * HOUR, noon + 60 * HOUR, 0.5),
        )
    )
    config = replace(config, scenario=scenario)
    records = stream(config, 0.05)
    summary = prove(records, config, tmp_path)
    swallowed = [record for record in records if record.fault == "silence"]
    assert summary["silenced"] == len(swallowed) > 500
    sent = [record for record in records if record.line is not None]
    assert not [one for one in sent if noon <= one.at < noon + 8 * HOUR]
    later = [one for one in (*sent, *swallowed) if noon + 48 * HOUR <= one.at < noon + 60 * HOUR]
    assert 0.4 < sum(one.line is None for one in later) / len(later) < 0.6
    windows = [json.loads(line) for line in (tmp_path / "truth.d/faults.ndjson").open()][:2]
    assert [window["kind"] for window in windows] == ["window:silence"] * 2


def test_a_history_with_a_release_that_breaks_events_equals_its_recount(tmp_path: Path) -> None:
    config = Config(5, END, 20, 200, 0.02)
    release = config.start_ms + 9 * 24 * HOUR
    windows = [
        Window("drift_renamed", release, release + 30 * HOUR, 1.0),
        Window("late", release + 10 * HOUR, release + 50 * HOUR, 0.5),
        Window("duplicate", release, release + 80 * HOUR, 0.7),
    ]
    config = replace(config, scenario=Scenario(tuple(windows)))
    summary = prove(stream(config, 0.02), config, tmp_path)
    assert min(summary["faults"][window.kind] for window in windows) > 300


@pytest.mark.parametrize("kind", ["very_late", "late", "out_of_order", "duplicate"])
@pytest.mark.parametrize("seed", range(3))
def test_sessions_that_late_events_join_equal_the_recount(tmp_path: Path, kind: str, seed: int) -> None:
    config = Config(seed, END, 40, 30, 0.5)
    summary = prove(stream(config, {kind: 0.6}), config, tmp_path)
    assert summary["faults"][kind] > 500
