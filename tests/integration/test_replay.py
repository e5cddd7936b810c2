"""Quarantined records sent through the door again: each leaves quarantine once, and the books always balance."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from ingestion.batch import Batch
from ingestion.decode import Rejected
from ingestion.drift import Drift
from ingestion.ledger import Balance, read_books
from ingestion.reasons import REASONS
from ingestion.replay import Outcome, Selection, replay
from ingestion.sql import query
from ingestion.warehouse import positions, write_batch
from mercato.postgres import Connection, connect
from mercato.services import endpoints
from mercato.settings import ROOT, Ingestion
from tests.events import NOW, event, raw
from tests.proxy import Proxy

Mercato = Callable[..., subprocess.CompletedProcess[str]]
ALL = Selection()
LIMITS = Ingestion(max_record_bytes=10_000)
#: Passes the decoder, and is refused by jsonb.
UNSTORABLE = [
    raw({**event(), "context": {"page": {"title": "a\0b"}}}),
    raw(event()).replace(b'"price":1.5', b'"weight":1e200000'),
    raw(event(traits={"a\0b": 1})),
]


def of_then(raw: bytes | None, now: datetime, max_bytes: int, drift: Drift, *, plain: bool) -> Rejected:
    """A contract of former days, which knew none of these events."""
    return Rejected("unknown_event", "this event is not in the contract", contract_version=0)


def load(connection: Connection, records: list[bytes], *, contract_of_then: bool = False) -> None:
    """Write the records as the next batch of a source; all go to quarantine by the contract of then."""
    batch = Batch("kafka:t", "uid", positions(connection, "kafka:t", "uid", [0]), 10_000)
    with mock.patch("ingestion.batch.decode", of_then) if contract_of_then else mock.MagicMock():
        for position, record in enumerate(records, batch.positions[0]):
            batch.add(0, position, record, NOW)
    write_batch(connection, batch)


def quarantine(connection: Connection, records: list[bytes]) -> None:
    """Records that were refused once, whatever they are by today's contract."""
    load(connection, records, contract_of_then=True)


def balanced(connection: Connection) -> Balance:
    found = read_books(connection)
    assert found.differences == []
    assert found.residual == 0
    assert found.quarantined == sum(found.by_reason.values())
    return found


def counts(connection: Connection) -> tuple[int, int, int, int]:
    """Received, loaded, duplicate and quarantined, of books that balance."""
    found = balanced(connection)
    return found.received, found.loaded, found.duplicate, found.quarantined


def trace(connection: Connection) -> dict[str, Any]:
    """Every row with its versions and locks, and every sequence: what any write at all would change."""
    tables = connection.execute(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('raw', 'ops')"
    ).fetchall()
    found: dict[str, Any] = {
        table: connection.execute(
            f"select count(*), md5(string_agg(concat(xmin, xmax, ctid, t), ' ' order by ctid)) from {table} as t"
        ).fetchone()
        for (table,) in tables
    }
    found["sequences"] = connection.execute(
        "select sequencename, last_value from pg_sequences order by 1"
    ).fetchall()
    return found


def waits_for_a_lock(connection: Connection) -> bool:
    found = connection.execute(
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    ).fetchone()
    return bool(found and found[0])


def test_what_passes_by_now_is_loaded_and_what_does_not_stays_with_its_reason(warehouse, mercato):
    load(warehouse, [raw(event(1))])
    quarantine(warehouse, [raw(event(2)), raw(event(3)), b"{", raw(event(1))])
    load(warehouse, [b"\xff"])
    outcome = replay(warehouse, ALL, LIMITS)
    assert dict(outcome.became) == {
        ("unknown_event", "loaded"): 2,
        ("unknown_event", "duplicate"): 1,
        ("unknown_event", "not_json"): 1,
        ("not_utf8", "not_utf8"): 1,
    }
    found = balanced(warehouse)
    assert (found.received, found.loaded, found.duplicate) == (6, 3, 1)
    assert found.by_reason == {"not_json": 1, "not_utf8": 1}
    kept = warehouse.execute(
        "select reason, detail, contract_version, replay_state, replay_batch_id is null,"
        " last_seen_at > first_seen_at from raw.quarantine where raw = '{'"
    ).fetchone()
    assert kept == ("not_json", outcome.examples["unknown_event", "not_json"], 1, "waiting", True, True)
    assert mercato("verify").returncode == 0


def test_a_second_replay_adds_nothing(warehouse):
    quarantine(warehouse, [raw(event(number)) for number in range(20)] + [b"{"])
    replay(warehouse, ALL, LIMITS)
    before = counts(warehouse)
    again = replay(warehouse, ALL, LIMITS)
    assert dict(again.became) == {("not_json", "not_json"): 1}
    assert counts(warehouse) == before == (21, 20, 0, 1)


def test_of_the_same_id_twice_in_quarantine_the_earlier_is_loaded(warehouse):
    first, second = event(1), event(1, timestamp="2026-11-01T11:00:00Z")
    quarantine(warehouse, [raw(first), raw(second)])
    for limits in (LIMITS, LIMITS.model_copy(update={"batch_rows": 1})):
        assert replay(warehouse, ALL, limits, dry_run=True).now("duplicate") == 1
    assert replay(warehouse, ALL, LIMITS).now("duplicate") == 1
    assert warehouse.execute("select raw, replay_state from raw.quarantine order by position").fetchall() == [
        (raw(first), "loaded"),
        (raw(second), "duplicate"),
    ]
    assert counts(warehouse) == (2, 1, 1, 0)


def test_a_value_that_postgres_refuses_stays_in_quarantine_once(warehouse, mercato):
    load(warehouse, UNSTORABLE)
    before = warehouse.execute("select raw from raw.quarantine order by 1").fetchall()
    quarantine(warehouse, [raw(event(1)), *UNSTORABLE, raw(event(2))])
    foreseen = replay(warehouse, ALL, LIMITS, dry_run=True)
    assert replay(warehouse, ALL, LIMITS) == foreseen
    assert dict(foreseen.became) == {
        ("impossible_value", "impossible_value"): 3,
        ("unknown_event", "impossible_value"): 3,
        ("unknown_event", "loaded"): 2,
    }
    waiting = "select raw from raw.quarantine where replay_state = 'waiting' order by 1"
    assert warehouse.execute(waiting).fetchall() == sorted(before * 2)
    assert counts(warehouse) == (8, 2, 0, 6)
    assert mercato("verify").returncode == 0


def test_a_clock_that_ran_ahead_does_not_become_right_by_waiting(warehouse):
    load(warehouse, [raw(event(1, timestamp="2026-11-09T00:00:00Z"))])
    warehouse.execute("update raw.quarantine set first_seen_at = %s", [NOW])
    assert dict(replay(warehouse, ALL, LIMITS).became) == {("future_clock", "future_clock"): 1}


def test_two_replays_at_once_load_each_record_once(settings, warehouse):
    quarantine(warehouse, [raw(event(number)) for number in range(300)])
    outcomes: list[Outcome] = []

    def other() -> None:
        with connect(endpoints.warehouse(settings), autocommit=True) as connection:
            outcomes.append(replay(connection, ALL, LIMITS.model_copy(update={"batch_rows": 50})))

    thread = threading.Thread(target=other)
    with warehouse.transaction():  # the first has 100 records in hand, and doesn't commit yet
        outcomes.append(replay(warehouse, Selection(limit=100), LIMITS))
        thread.start()
        with connect(endpoints.warehouse(settings), autocommit=True) as watch:
            until = time.monotonic() + 60
            while not waits_for_a_lock(watch) and thread.is_alive() and time.monotonic() < until:
                time.sleep(0.01)
    thread.join()
    assert [outcome.now("loaded") for outcome in outcomes] == [100, 200]
    assert [outcome.tried for outcome in outcomes] == [100, 200], (
        "the second took records out of the first's hand"
    )
    assert counts(warehouse) == (300, 300, 0, 0)


def test_many_replays_and_a_consumer_at_once_load_each_id_once(settings, warehouse):
    records = [raw(event(number)) for number in range(1_000)]
    quarantine(warehouse, records)
    begin = threading.Barrier(4)

    def run(work: Callable[[Connection], object]) -> None:
        with connect(endpoints.warehouse(settings), autocommit=True) as connection:
            begin.wait()
            work(connection)

    def consume(connection: Connection) -> None:
        for start in range(900, -1, -100):  # the same ids, in the other direction
            load(connection, records[start : start + 100])

    work = [lambda own: replay(own, ALL, LIMITS.model_copy(update={"batch_rows": 20}))] * 3 + [consume]
    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts(warehouse) == (2_000, 1_000, 1_000, 0)


def test_a_replay_killed_at_any_step_leaves_nothing_half_done(settings, environment, warehouse, mercato):
    records = [raw(event(number)) for number in range(240)]
    load(warehouse, records[:30])
    quarantine(warehouse, [*records, b"{", *UNSTORABLE])
    command = [str(Path(sys.executable).with_name("mercato")), "replay"]
    small = {"MERCATO_INGESTION__BATCH_ROWS": "10"}
    settled = [0]
    # Messages of the client to the server, of which the start has about 8 and a chunk about 25.
    for step in [*range(8, 60, 3), "before COMMIT", "after COMMIT"]:
        with Proxy(settings.warehouse.host, settings.warehouse.port) as proxy:
            address = {"MERCATO_WAREHOUSE__HOST": "127.0.0.1", "MERCATO_WAREHOUSE__PORT": str(proxy.port)}
            worker = subprocess.Popen(command, env=environment | small | address, stderr=subprocess.DEVNULL)
            proxy.on_kill, proxy.step = worker.kill, step
            assert worker.wait(120) == -9, "the replay ended before it was killed"
        until = time.monotonic() + 60  # the server may still be at work on what the dead had asked for
        while mercato_backends(warehouse) and time.monotonic() < until:
            time.sleep(0.01)
        received, loaded, duplicate, quarantined = counts(warehouse)
        assert (received, loaded + duplicate + quarantined) == (274, 274)
        settled.append(274 - 30 - quarantined)
        assert settled[-1] % 10 == 0, "a part of a chunk was written"
    assert settled[-3] == settled[-2] < settled[-1], "COMMIT decides"
    assert 0 < settled[-1] < 240
    assert mercato("replay").returncode == 0
    assert counts(warehouse) == (274, 240, 30, 4)
    assert mercato("verify").returncode == 0


def mercato_backends(connection: Connection) -> bool:
    found = connection.execute(
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and application_name = 'mercato replay'"
    ).fetchone()
    return bool(found and found[0])


MEMBERS = st.one_of(
    st.tuples(st.just("good"), st.integers(0, 6)),
    st.tuples(st.just("bad"), st.sampled_from([b"{", b"\xff", b"", raw(event(event="Nothing We Know"))])),
    st.tuples(st.just("unstorable"), st.sampled_from(UNSTORABLE)),
)


@hypothesis(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    loaded=st.lists(st.integers(0, 6), max_size=4),
    waiting=st.lists(MEMBERS, max_size=12),
    rows=st.integers(1, 5),
    size=st.sampled_from([1, 500, 1_000_000]),
    limit=st.none() | st.integers(1, 12),
)
def test_any_mix_becomes_what_the_dry_run_said_and_the_books_balance(
    warehouse, loaded, waiting, rows, size, limit
):
    empty(warehouse)
    load(warehouse, [raw(event(number)) for number in loaded])
    records = [raw(event(thing)) if kind == "good" else thing for kind, thing in waiting]
    quarantine(warehouse, records)
    limits = LIMITS.model_copy(update={"batch_rows": rows, "batch_bytes": size})
    chosen = Selection(limit=limit)

    before = trace(warehouse)
    foreseen = replay(warehouse, chosen, limits, dry_run=True)
    assert trace(warehouse) == before
    assert replay(warehouse, chosen, limits) == foreseen
    new = {thing for kind, thing in waiting[:limit] if kind == "good"} - set(loaded)
    good = sum(kind == "good" for kind, _ in waiting[:limit])
    assert (foreseen.tried, foreseen.now("loaded")) == (len(waiting[:limit]), len(new))
    assert foreseen.now("duplicate") == good - len(new)
    rest = replay(warehouse, ALL, limits)
    found = balanced(warehouse)
    ids = {thing for kind, thing in waiting if kind == "good"} | set(loaded)
    assert (found.loaded, found.received) == (len(ids), len(loaded) + len(waiting))
    assert found.quarantined == sum(kind != "good" for kind, _ in waiting)
    assert rest.now("loaded") == len(ids) - len(new | set(loaded))


def empty(connection: Connection) -> None:
    tables = connection.execute(
        "select string_agg(format('%I.%I', schemaname, tablename), ', ')"
        " from pg_tables where schemaname in ('raw', 'ops')"
    ).fetchone()
    connection.execute(f"truncate {tables[0]}")


def test_a_chunk_is_closed_by_bytes_and_a_record_larger_than_that_is_a_chunk(warehouse):
    quarantine(warehouse, [raw(event(number)) for number in range(6)])
    chunks: list[int] = []
    two = LIMITS.model_copy(update={"batch_bytes": len(raw(event(0))) + 1})
    for limits, chosen in ((two, Selection(limit=4)), (LIMITS.model_copy(update={"batch_bytes": 1}), ALL)):
        replay(warehouse, chosen, limits, on_chunk=lambda so_far: chunks.append(so_far.tried))
    assert chunks == [2, 4, 1, 2]
    assert counts(warehouse) == (6, 6, 0, 0)


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        (Selection(reasons=("unknown_event",)), {0, 1, 2}),
        (Selection(reasons=("not_json", "too_large")), {3}),
        (Selection(source="kafka:t"), {0, 1, 2, 3}),
        (Selection(source="kafka:other"), set()),
        (Selection(since=datetime(2026, 11, 2, tzinfo=UTC)), {1, 2, 3}),
        (Selection(until=datetime(2026, 11, 2, tzinfo=UTC)), {0}),
        (Selection(reasons=("unknown_event",), since=datetime(2026, 11, 2, tzinfo=UTC), limit=1), {1}),
        (Selection(limit=2), {0, 1}),
    ],
)
def test_only_what_was_asked_for_is_tried(warehouse, chosen, numbers):
    quarantine(warehouse, [raw(event(number)) for number in range(3)])
    load(warehouse, [b"{"])
    warehouse.execute(
        "update raw.quarantine set first_seen_at = timestamptz '2026-11-01 00:00Z' + position * '1 d'::interval"
    )
    warehouse.execute("update raw.quarantine set last_seen_at = first_seen_at")
    replay(warehouse, chosen, LIMITS)
    tried = (
        "select position from raw.quarantine where replay_state <> 'waiting' or last_seen_at > first_seen_at"
    )
    assert {position for (position,) in warehouse.execute(tried).fetchall()} == numbers
    balanced(warehouse)


def test_a_row_settled_or_taken_back_behind_the_ledgers_back_is_found_and_named(warehouse):
    quarantine(warehouse, [raw(event(1)), raw(event(2))])
    replay(warehouse, Selection(limit=1), LIMITS)
    for change in (
        "set replay_state = 'duplicate' where replay_state = 'loaded'",
        "set replay_state = 'waiting', replay_batch_id = null, replayed_at = null",
        "set replay_state = 'loaded', replay_batch_id = 9999, replayed_at = now() where replay_state = 'waiting'",
    ):
        with warehouse.transaction(force_rollback=True):
            warehouse.execute(f"update raw.quarantine {change}")
            differences = warehouse.execute(query("replays_against_quarantine")).fetchall()
        assert len(differences) == 1, change
    warehouse.execute("update raw.quarantine set replay_state = 'duplicate' where replay_state = 'loaded'")
    (difference,) = read_books(warehouse).differences
    assert "the ledger has 1 loaded, 0 duplicate; 0 and 1 rows left by it" in difference


def test_the_command_replays_from_the_stream_to_the_tested_models(mercato, topic, settings, warehouse):
    """A limit that was raised lets the old records pass; status, verify and dbt's tests agree on them."""
    from tests.integration.test_ingestion import send

    large = [raw(event(number, context={"note": "x" * 400})) for number in range(40)]
    send(settings, [*large, raw(event(100)), b"{"])
    assert mercato("consume", "--until-empty", MERCATO_INGESTION__MAX_RECORD_BYTES="400").returncode == 0
    send(settings, large[:10])  # ten come again by themselves
    assert mercato("consume", "--until-empty").returncode == 0

    before = trace(warehouse)
    dry = mercato("replay", "--dry-run", "--json", "--source", f"kafka:{topic}")
    assert trace(warehouse) == before
    real = mercato("replay", "--json")
    assert (dry.returncode, real.returncode) == (0, 0), dry.stderr + real.stderr
    said, done = json.loads(dry.stdout), json.loads(real.stdout)
    assert done["by_reason"] == said["by_reason"]
    assert (done["tried"], done["loaded"], done["duplicate"], done["quarantined"]) == (41, 30, 10, 1)
    assert "nothing was written" in dry.stderr
    assert "nothing was written" not in real.stderr

    built = mercato("transform", "--layer", "staging")  # its tests are those of the ledger
    assert built.returncode == 0, built.stderr
    assert warehouse.execute("select count(*) from staging.stg_events").fetchone() == (41,)
    assert mercato("verify").returncode == 0
    assert "41 events, 1 in quarantine" in mercato("status", "--json").stdout
    assert warehouse.execute(query("ledger_sources")).fetchall() == [(f"kafka:{topic}",)]
    assert warehouse.execute(
        "select reason, records, waiting from ops.quarantine_summary order by waiting"
    ).fetchall() == [("too_large", 40, 0), ("not_json", 1, 1)]


def test_wrong_words_are_wrong_use_and_name_the_right_ones(mercato, warehouse):
    load(warehouse, [raw(event(1))])
    reason = mercato("replay", "--reason", "ugly")
    assert reason.returncode == 2
    assert all(f"'{name}'" in reason.stderr for name in REASONS)
    source = mercato("replay", "--source", "kafka:tt")
    assert source.returncode == 2
    assert "the sources are kafka:t" in source.stderr
    assert mercato("replay", "--since", "yesterday").returncode == 2
    assert mercato("replay", "--limit", "0").returncode == 2


def test_the_documented_reasons_are_those_that_the_decoder_gives() -> None:
    lines = (ROOT / "tests/fixtures/bad_events.ndjson").read_text("utf-8").splitlines()
    fates = {json.loads(line)["fate"] for line in lines}
    assert (fates - {None}) | {"too_large"} == REASONS.keys()
