"""Kafka to Postgres on a real broker and a real server: nothing lost, nothing twice, nothing unexplained."""

import json
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from ingestion.batch import Batch
from ingestion.ledger import read_books
from ingestion.warehouse import positions, write_batch
from mercato.errors import Fenced, PositionLost
from mercato.kafka_admin import Admin
from mercato.postgres import Connection, connect
from mercato.services import endpoints
from mercato.settings import Settings
from tests.events import NOW, event, raw
from tests.loads import books, load, send


def test_each_record_is_loaded_quarantined_or_counted_as_a_duplicate(
    settings: Settings, topic: str, warehouse: Connection
) -> None:
    good = [raw(event()) for _ in range(500)]
    bad = [b"{", b"\xff{}", raw(event(type="alias")), raw({**event(), "properties": {"product_id": 7}}), None]
    send(settings, [*good[:250], *bad, *good[250:], *good[:20]])
    load(settings)
    found = books(settings, warehouse)
    assert found.counts() == {
        "sent": 525, "received": 525, "loaded": 500, "duplicate": 20, "quarantined": 5, "in_flight": 0, "residual": 0,
    }  # fmt: skip
    assert found.by_reason == {"not_json": 2, "not_utf8": 1, "unknown_event": 1, "wrong_type": 1}
    assert found.differences == []


def test_a_redelivered_batch_adds_no_rows(settings: Settings, topic: str, warehouse: Connection) -> None:
    sent = [event() for _ in range(100)]
    send(settings, [raw(one) for one in sent])
    load(settings)
    send(
        settings, [raw({**one, "timestamp": "2026-11-03T00:00:00Z"}) for one in sent], key="another partition"
    )
    load(settings)
    assert warehouse.execute("select count(*), max(timestamp)::date::text from raw.events").fetchone() == (
        100,
        "2026-11-01",
    )
    assert books(settings, warehouse).duplicate == 100


def test_one_value_that_postgres_refuses_costs_one_row_not_the_batch(
    settings: Settings, topic: str, warehouse: Connection
) -> None:
    nul = raw({**event(), "context": {"page": {"title": "a\0b"}}})
    huge = raw(event()).replace(b'"price":1.5', b'"weight":1e200000')
    surrogate = raw(event()).replace(b'"price":1.5', b'"note":"\\ud800"')
    send(settings, [raw(event()), nul, raw(event()), huge, surrogate, raw(event())])
    load(settings)
    found = books(settings, warehouse)
    assert (found.loaded, found.quarantined, found.residual, found.differences) == (3, 3, 0, [])
    kept = {bytes(row[0]) for row in warehouse.execute("select raw from raw.quarantine").fetchall()}
    assert kept == {nul, huge, surrogate}


def test_what_is_sent_but_not_loaded_is_in_flight(
    settings: Settings, topic: str, warehouse: Connection
) -> None:
    send(settings, [raw(event()) for _ in range(30)])
    found = books(settings, warehouse)
    assert (found.sent, found.in_flight, found.residual) == (30, 30, 0)


def test_a_consumer_killed_in_mid_stream_loses_nothing_and_doubles_nothing(
    settings: Settings, environment: dict[str, str], topic: str, warehouse: Connection
) -> None:
    records = [raw(event()) for _ in range(20_000)]
    send(settings, records + records[:500])
    command = [str(Path(sys.executable).with_name("mercato")), "consume", "--until-empty"]
    kills = 0
    while kills < 3:
        before = books(settings, warehouse).received
        small = {"MERCATO_INGESTION__BATCH_ROWS": "200"}
        worker = subprocess.Popen(command, env=environment | small, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while read_books(warehouse).received == before and time.monotonic() < until:
            time.sleep(0.005)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        kills += 1
    middle = books(settings, warehouse)
    assert 0 < middle.received < 20_500, "the kills came too late to prove anything"
    assert middle.residual == 0
    load(settings)
    found = books(settings, warehouse)
    assert (found.sent, found.loaded, found.duplicate, found.residual) == (20_500, 20_000, 500, 0)
    assert found.differences == []


def test_sigterm_finishes_the_batch_and_exits_0(
    settings: Settings, environment: dict[str, str], topic: str, warehouse: Connection
) -> None:
    send(settings, [raw(event()) for _ in range(100)])
    command = [str(Path(sys.executable).with_name("mercato")), "consume"]
    worker = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while read_books(warehouse).received < 100 and time.monotonic() < until:
        time.sleep(0.05)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert books(settings, warehouse).loaded == 100


def test_a_zombie_worker_can_not_write_a_batch_that_another_wrote(
    settings: Settings, warehouse: Connection
) -> None:
    def batch() -> Batch:
        made = Batch("kafka:t", "uid", positions(warehouse, "kafka:t", "uid", [0]), 10_000)
        for position in range(10):
            made.add(0, position, raw(event(position)), NOW)
        return made

    slow, fast = batch(), batch()
    write_batch(warehouse, fast)
    with connect(endpoints.warehouse(settings), autocommit=True) as zombie, pytest.raises(Fenced):
        write_batch(zombie, slow)
    found = read_books(warehouse)
    assert (found.received, found.loaded, found.differences) == (10, 10, [])


def test_a_topic_made_anew_under_the_same_name_is_read_from_its_start(
    settings: Settings, topic: str, warehouse: Connection
) -> None:
    send(settings, [raw(event()) for _ in range(40)])
    load(settings)
    with Admin(endpoints.kafka(settings)) as admin:
        admin.delete_topic(topic)
        admin.ensure_topic(topic, 3)
    send(
        settings, [raw(event()) for _ in range(50)]
    )  # more than before: the old position exists in the new topic
    load(settings)
    found = books(settings, warehouse)
    assert (found.loaded, found.residual, found.differences) == (90, 0, [])


def test_records_that_the_broker_no_longer_has_stop_the_load_and_are_named(
    settings: Settings, topic: str, warehouse: Connection
) -> None:
    send(settings, [raw(event()) for _ in range(5)])
    load(settings)
    warehouse.execute("update ops.positions set next_position = next_position + 100 where next_position > 0")
    with pytest.raises(
        PositionLost, match=r"partition \d: the next record to load is 105, the broker has 0 to 4"
    ):
        load(settings)


def test_a_row_deleted_behind_the_ledgers_back_is_found_and_named(
    settings: Settings, topic: str, warehouse: Connection
) -> None:
    send(settings, [raw(event()) for _ in range(50)])
    load(settings)
    warehouse.execute("delete from raw.events where position = 7")
    (difference,) = read_books(warehouse).differences
    assert difference.startswith("raw.events: kafka:")
    assert "the ledger loaded 50, 49 rows are there" in difference


def test_the_25_payloads_of_segments_own_spec_are_loaded(
    settings: Settings, topic: str, warehouse: Connection, shared_data: Path
) -> None:
    lines = (shared_data / "segment_ecommerce" / "ecommerce_v2_examples.jsonl").read_text().splitlines()
    envelope = {"anonymousId": "a", "timestamp": "2026-11-01T10:00:00Z"}
    send(settings, [raw({"messageId": str(uuid.uuid4()), **envelope, **json.loads(line)}) for line in lines])
    load(settings)
    assert books(settings, warehouse).loaded == len(lines) == 25
