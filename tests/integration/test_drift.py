"""Odd records and drift on a real server: each record has its fate, and the counts are exact."""

import json
from concurrent.futures import ThreadPoolExecutor
from random import Random

from ingestion.batch import Batch
from ingestion.drift import Drift, parameters
from ingestion.warehouse import positions, write_batch
from mercato.postgres import Connection, connect
from mercato.services import endpoints
from mercato.settings import ROOT, Settings
from tests.events import NOW, event, raw

CASES = [json.loads(line) for line in (ROOT / "tests/fixtures/bad_events.ndjson").read_text().splitlines()]
RECORD_DRIFT = (ROOT / "ingestion/sql/drift.sql").read_text()


def record(connection: Connection, drift: Drift, partition: int = 0) -> None:
    connection.execute(RECORD_DRIFT, {"source": "s", "partition": partition, **parameters(drift)})


def test_each_odd_record_has_its_named_fate_in_the_warehouse(warehouse: Connection) -> None:
    batch = Batch("s", "uid", positions(warehouse, "s", "uid", [0]), 1_000_000)
    for number, case in enumerate(CASES):
        # An id of its own: a record whose id is stored is a duplicate, whatever is wrong with it.
        batch.add(0, number, case["record"].replace('"m1"', f'"m{number}"').encode("latin-1"), NOW)
    # Beyond what numeric can hold, and no line of a file is that long.
    batch.add(0, len(CASES), CASES[-1]["record"].replace("1e-20000", "9" * 131_073).encode(), NOW)
    write_batch(warehouse, batch)
    kept = dict(warehouse.execute("select position, reason from raw.quarantine").fetchall())
    fates = {number: case.get("server") or case["fate"] for number, case in enumerate(CASES)}
    fates[len(CASES)] = "impossible_value"
    assert kept == {number: fate for number, fate in fates.items() if fate}


def test_drift_is_summed_over_batches_and_partitions(warehouse: Connection) -> None:
    colour, size = ("Product Viewed", "properties.colour", "string"), ("page", "properties.size", "number")
    record(warehouse, {colour: 2, size: 1})
    record(warehouse, {colour: 3}, partition=1)
    record(warehouse, {colour: 5})
    found = warehouse.execute(
        "select source, event, property, type, records, first_seen_at < last_seen_at from ops.schema_drift"
    ).fetchall()
    assert sorted(found) == [("s", *colour, 10, True), ("s", *size, 1, False)]


def test_workers_on_different_partitions_do_not_wait_for_each_other(
    settings: Settings, warehouse: Connection
) -> None:
    drift = {("page", "properties.x", "string"): 1}
    with connect(endpoints.warehouse(settings), autocommit=True) as other, other.transaction():
        record(other, drift, partition=0)
        warehouse.execute("set lock_timeout = '5s'")
        record(warehouse, drift, partition=1)


def test_batches_that_name_the_same_drift_in_any_order_do_not_dead_lock(
    settings: Settings, warehouse: Connection
) -> None:
    keys = [("page", f"properties.{number}", "string") for number in range(300)]

    def worker(seed: int) -> None:
        rng = Random(seed)
        with connect(endpoints.warehouse(settings), autocommit=True) as connection:
            for _ in range(30):
                record(connection, dict.fromkeys(rng.sample(keys, len(keys)), 1))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(worker, range(3)))
    assert warehouse.execute("select count(*), min(records), max(records) from ops.schema_drift").fetchone() == (
        300, 90, 90,
    )  # fmt: skip


def test_what_a_sender_adds_is_loaded_and_recorded_with_its_batch(warehouse: Connection) -> None:
    more = {**event()["properties"], "colour": "red"}
    records = [event(), *[event(properties=more) for _ in range(3)], event(properties={**more, "price": "x"})]
    batch = Batch("s", "uid", positions(warehouse, "s", "uid", [0]), 1_000_000)
    for number, one in enumerate(records):
        batch.add(0, number, raw(one), NOW)
    assert write_batch(warehouse, batch).loaded == 4
    found = warehouse.execute("select event, property, type, records from ops.schema_drift").fetchall()
    assert found == [("Product Viewed", "properties.colour", "string", 3)]
