"""Months of raw.events: none is missing, none is lost, and what retention drops stays booked."""

from datetime import UTC, datetime

from ingestion import partitions
from ingestion.batch import Batch
from ingestion.ledger import read_books
from ingestion.warehouse import positions, write_batch
from mercato.postgres import Connection
from tests.events import event, raw


def load(warehouse: Connection, count: int, ids: list[str] | None = None) -> int:
    at = positions(warehouse, "kafka:t", "uid", [0])
    batch = Batch("kafka:t", "uid", at, 100_000)
    for number in range(count):
        one = event(messageId=ids[number]) if ids else event()
        batch.add(0, at[0] + number, raw(one), datetime.now(UTC))
    return write_batch(warehouse, batch).loaded


def age(warehouse: Connection, months: int) -> None:
    """Let all that is loaded have been loaded so many months ago."""
    for table in ("raw.events", "ops.ledger"):
        warehouse.execute(f"update {table} set loaded_at = loaded_at - make_interval(months => %s)", [months])


def homes(warehouse: Connection) -> dict[str, int]:
    found = warehouse.execute(
        "select tableoid::regclass::text, count(*) from raw.events group by 1"
    ).fetchall()
    return dict(found)


def test_the_next_months_are_ready_and_made_once(warehouse: Connection) -> None:
    assert load(warehouse, 3) == 3
    (home,) = homes(warehouse)
    assert home == f"raw.events_{datetime.now(UTC):%Y_%m}"
    count = "select count(*) from pg_inherits where inhparent = 'raw.events'::regclass"
    assert warehouse.execute(count).fetchone() == (partitions.MONTHS_AHEAD + 2,)
    assert partitions.make(warehouse) == []


def test_events_of_a_month_that_nobody_made_wait_in_the_default_partition_and_move(
    warehouse: Connection,
) -> None:
    load(warehouse, 5)
    age(warehouse, 2)
    assert homes(warehouse) == {"raw.events_default": 5}
    made = partitions.make(warehouse)
    assert len(made) == 2  # the month of the events and the one after it
    assert homes(warehouse) == {f"raw.{made[0]}": 5}
    assert read_books(warehouse).differences == []


def test_retention_drops_whole_months_and_the_books_still_balance(warehouse: Connection) -> None:
    load(warehouse, 5, [f"old-{number}" for number in range(5)])
    age(warehouse, 3)
    partitions.make(warehouse)
    load(warehouse, 4)
    assert partitions.drop(warehouse, keep_months=3) == []
    assert len(partitions.drop(warehouse, keep_months=2)) == 1
    assert sum(homes(warehouse).values()) == 4
    found = read_books(warehouse)
    assert (found.differences, found.loaded) == ([], 9)
    warehouse.execute("delete from raw.events where position = 6")
    assert len(read_books(warehouse).differences) == 1, "a row lost from a kept month is still found"
    assert load(warehouse, 5, [f"old-{number}" for number in range(5)]) == 5, "forgotten with its month"


def test_an_id_is_unique_over_months(warehouse: Connection) -> None:
    ids = [f"id-{number}" for number in range(5)]
    assert load(warehouse, 5, ids) == 5
    age(warehouse, 2)
    partitions.make(warehouse)
    assert load(warehouse, 5, ids) == 0
    assert read_books(warehouse).duplicate == 5
