"""Each alert rule on a real Postgres: what makes it fire, what leaves it silent, and the shape that Grafana takes."""

import re

import pytest

from ingestion.migrations import migrate
from mercato import postgres as driver
from mercato.dashboards.alerts import RULES, Rule, summary
from mercato.postgres import Connection
from mercato.services import endpoints, postgres
from mercato.settings import Settings

NUMBERS, TEXTS = {20, 21, 23, 700, 701, 1700}, {25, 1043}
LAST_HOUR = "date_trunc('hour', now()) - interval '1 hour'"

RESULT = (
    "insert into ops.dbt_results (invocation_id, unique_id, resource_type, name, status, duration_s, started_at,"
    " completed_at, command, dag_id, dag_run_id, recorded_at) values"
)
LEDGER = (
    "insert into ops.ledger (batch_id, source, source_uid, partition, first_position, last_position, received, loaded,"
    " duplicate, quarantined, bytes, loaded_at) values"
)


def result(run: int, name: str, kind: str, status: str, ago: str = "1 minute") -> str:
    at = f"now() - interval '{ago}'"
    return (
        f"{RESULT} ('{run}{name}', '{kind}.{name}', '{kind}', '{name}', '{status}', 1, {at}, {at}, 'build',"
        f" 'transform', 'run {run}', {at})"
    )


def run(number: int, state: str, ago: str) -> str:
    at = f"now() - interval '{ago}'"
    return f"insert into ops.dag_runs values ('transform', 'run {number}', 'manual', '{state}', {at})"


def batch(
    number: int,
    received: int,
    quarantined: int = 0,
    duplicate: int = 0,
    ago: str = "5 minutes",
    first: int = 0,
) -> str:
    loaded = received - quarantined - duplicate
    return (
        f"{LEDGER} ({number}, 'kafka:events', 'x', 0, {first}, {first + received - 1}, {received}, {loaded},"
        f" {duplicate}, {quarantined}, 1, now() - interval '{ago}')"
    )


def position(reached: int, end: int) -> str:
    return f"insert into ops.positions values ('kafka:events', 'x', 0, {reached}, 0, now(), {end})"


def hour(event: str, events: int, weeks_ago: int = 0, currency: str = "", amount: int = 0) -> str:
    at = f"{LAST_HOUR} - interval '{weeks_ago * 7} days'"
    return (
        f"insert into ops.event_hours values ({at}, '{event}', '{currency}', 't', 0, {events}, 0, {amount})"
    )


def usual(event: str, events: int, currency: str = "", amount: int = 0) -> list[str]:
    return [hour(event, events + week, week, currency, amount) for week in (1, 2, 3, 4)]


def stock(on_hand: int) -> list[str]:
    table = "create table reports.rpt_sell_through (product_id text, product_name text, sold bigint, on_hand bigint)"
    return [
        table,
        f"insert into reports.rpt_sell_through values ('p1', 'Lamp', 90, {on_hand}), ('p2', 'Slow', 0, 0)",
    ]


def disk(free: int) -> str:
    return f"insert into ops.disk values ('here', '/', 100, {free})"


def price(product: str, minor: int, hours_ago: int, lines: int = 1) -> str:
    at = f"{LAST_HOUR} - interval '{hours_ago} hours'"
    return f"insert into ops.price_hours values ({at}, '{product}', 'EUR', 't', 0, {lines}, {minor * lines})"


def priced(product: str, *minors: int) -> list[str]:
    """Asked for at these prices, a day each; the last one an hour ago."""
    days = len(minors) - 1
    return [price(product, minor, 24 * (days - day)) for day, minor in enumerate(minors)]


VIEWS, CARTS = usual("Product Viewed", 4_000), usual("Product Added", 800)
ORDERS, CHECKOUTS = usual("Order Completed", 100, "EUR", 700_000), usual("Checkout Started", 300)

#: Rule to what makes it fire and what doesn't.
FIXTURES: dict[str, tuple[list[str], list[str]]] = {
    "mercato-pipeline-failed": (
        [run(1, "success", "2 hours"), run(2, "failed", "1 hour"), run(3, "running", "1 minute")],
        [run(1, "failed", "2 hours"), run(2, "success", "1 hour")],  # it failed, and was cured
    ),
    "mercato-freshness": (
        [batch(1, 10, ago="20 minutes")],
        [batch(1, 10, ago="10 minutes"), result(1, "m", "model", "success", "90 minutes"),
         "insert into ops.models (model) values ('marts.m')"],
    ),
    "mercato-residual": ([batch(1, 10), position(11, 11)], [batch(1, 10), position(10, 10)]),
    "mercato-quarantine": (
        [batch(1, 200, 20)],
        # Five per cent; many, but long ago; many of a few.
        [batch(1, 1_000, 50), batch(2, 1_000, 900, ago="3 hours", first=1_000)],
    ),
    "mercato-volume": (
        [*VIEWS, hour("Product Viewed", 500)],
        [
            *VIEWS, hour("Product Viewed", 3_300),
            hour("Rare", 1, 1), hour("Rare", 1, 2), hour("Rare", 12),  # ten more are no crowd
            # A promotion that goes better than the last; every other week there is none.
            hour("Promotion Viewed", 10, 4), hour("Promotion Viewed", 16, 2), hour("Promotion Viewed", 38),
        ],
    ),
    "mercato-tests": (
        [result(1, "t", "test", "fail")],
        [result(1, "t", "test", "fail", "1 hour"), result(2, "t", "test", "pass")],
    ),
    "mercato-quality": ([batch(1, 1_000, 60)], [batch(1, 1_000, 40, 30)]),
    "mercato-revenue": (
        [*ORDERS, hour("Order Completed", 30, 0, "EUR", 200_000)],
        # A fifth less; and a small currency, of which nothing comes in many an hour.
        [*ORDERS, hour("Order Completed", 80, 0, "EUR", 560_000), *usual("Order Completed", 3, "CHF", 20_000)],
    ),
    "mercato-conversion": (
        [*VIEWS, *ORDERS, hour("Product Viewed", 4_000), hour("Order Completed", 30, 0, "EUR", 1)],
        # Half the orders of half the visits: that is volume, not conversion.
        [*VIEWS, *ORDERS, hour("Product Viewed", 2_000), hour("Order Completed", 50, 0, "EUR", 1)],
    ),
    "mercato-abandonment": (
        [*CARTS, *CHECKOUTS, hour("Product Added", 800), hour("Checkout Started", 60)],
        [*CARTS, *CHECKOUTS, hour("Product Added", 800), hour("Checkout Started", 270)],
    ),
    "mercato-payments": (
        [hour("Payment Failed", 40), hour("Order Completed", 60, 0, "EUR", 1)],
        [hour("Payment Failed", 4), hour("Order Completed", 2, 0, "EUR", 1)],  # four are no outage
    ),
    "mercato-stock-out": (stock(0), stock(3)),
    "mercato-price-slip": (
        [*priced("lamp", 2_000, 2_100, 2_000, 200), *priced("chair", 9_000, 9_000, 9_000, 8_500)],
        [
            *priced("lamp", 2_000, 2_100, 2_000, 1_400),  # on sale
            *priced("chair", 2_000, 200_000, 2_000, 2_000),  # it had one wrong price: now it is right
            *priced("new", 2_000, 2_000, 200),  # known for two days
            *priced("old", 2_000, 2_000, 2_000, 200)[:3], price("old", 200, 400),  # cheap two weeks ago
        ],
    ),
    "mercato-lag": ([batch(1, 10), position(10, 200_000)], [batch(1, 10), position(10, 50_000)]),
    "mercato-disk": ([disk(5)], [disk(30)]),
}  # fmt: skip
rules = pytest.mark.parametrize("rule", RULES, ids=[rule.uid for rule in RULES])


@pytest.fixture
def reader(services: Settings, settings: Settings, warehouse: Connection):
    migrate(warehouse)  # rights on a database are not cloned with it
    local = postgres.endpoint(services, database=endpoints.warehouse(settings).database, user=postgres.READER)
    with driver.connect(local, autocommit=True) as connection:
        yield connection


def firing(reader: Connection, rule: Rule) -> list[tuple[str, ...]]:
    """The labels of the rows for which the rule fires, its answer in the shape that Grafana takes."""
    cursor = reader.execute(rule.sql)
    types = [column.type_code for column in cursor.description]
    assert sum(one in NUMBERS for one in types) == 1
    assert types[-1] in NUMBERS
    assert set(types[:-1]) <= TEXTS, "a time, or a type that Grafana doesn't take as a label"
    names = {column.name for column in cursor.description[:-1]}
    assert set(re.findall(r"\.Labels\.(\w+)", summary(rule.says))) <= names, (
        "[no value] is what people would read"
    )
    rows = cursor.fetchall()
    labels = [row[:-1] for row in rows]
    assert len(set(labels)) == len(labels), "two rows with the same labels: Grafana refuses them"
    assert all(row[-1] is not None for row in rows)
    return [row[:-1] for row in rows if (row[-1] < rule.limit if rule.below else row[-1] > rule.limit)]


def test_every_rule_has_its_fixtures() -> None:
    assert FIXTURES.keys() == {rule.uid for rule in RULES}


@rules
def test_a_rule_fires_when_it_must(rule: Rule, warehouse: Connection, reader: Connection) -> None:
    for statement in FIXTURES[rule.uid][0]:
        warehouse.execute(statement)
    assert len(firing(reader, rule)) == 1


@rules
def test_a_rule_is_silent_when_all_is_well(rule: Rule, warehouse: Connection, reader: Connection) -> None:
    for statement in FIXTURES[rule.uid][1]:
        warehouse.execute(statement)
    assert firing(reader, rule) == []
    assert reader.execute(rule.sql).fetchall(), "it was asked about nothing"


@rules
def test_a_rule_says_nothing_of_an_empty_warehouse(
    rule: Rule, warehouse: Connection, reader: Connection
) -> None:
    assert firing(reader, rule) == []


def test_too_many_of_one_event_rings_for_it_alone(warehouse: Connection, reader: Connection) -> None:
    promotion = [
        hour("Promotion Viewed", 10, 4),
        hour("Promotion Viewed", 16, 2),
        hour("Promotion Viewed", 90),
    ]
    for statement in [
        *VIEWS,
        hour("Product Viewed", 7_000),
        *CARTS,
        hour("Product Added", 1_000),
        *promotion,
    ]:
        warehouse.execute(statement)
    rule = next(rule for rule in RULES if rule.uid == "mercato-volume")
    assert sorted(firing(reader, rule)) == [("Product Viewed", "too many"), ("Promotion Viewed", "too many")]


def test_only_hours_that_are_over_are_compared(warehouse: Connection, reader: Connection) -> None:
    running = "insert into ops.event_hours values (date_trunc('hour', now()), 'Product Viewed', '', 't', 0, 9, 0, 0)"
    for statement in [*VIEWS, running]:
        warehouse.execute(statement)
    asked = "ops.event_bands(now() - interval '2 hours', now() + interval '1 day')"
    hours = reader.execute(f"select date_trunc('hour', now()) - hour from {asked} order by hour desc")
    assert [round(ago.total_seconds() / 3_600) for (ago,) in hours] == [1, 2]


def test_silence_of_all_senders_is_too_few_of_each_event(warehouse: Connection, reader: Connection) -> None:
    for statement in [*VIEWS, *ORDERS]:
        warehouse.execute(statement)
    rule = next(rule for rule in RULES if rule.uid == "mercato-volume")
    assert sorted(firing(reader, rule)) == [("Order Completed", "too few"), ("Product Viewed", "too few")]
