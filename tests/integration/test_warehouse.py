"""What one transaction writes, beside another one on the same server."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion import delays
from ingestion.batch import Batch
from ingestion.ledger import read_books
from ingestion.warehouse import Ahead, Written, positions, write_batch
from ingestion.writer import Writer
from mercato.errors import Fenced
from mercato.postgres import Connection, connect
from mercato.services import endpoints
from mercato.settings import Settings
from tests.events import NOW, event, raw


@pytest.mark.parametrize("reach", [10, 60, 400])
def test_ids_that_come_again_in_the_same_batch_the_next_or_a_later_one_are_stored_once(
    settings: Settings, warehouse: Connection, reach: int
) -> None:
    rng, sent = Random(reach), set()
    at = positions(warehouse, "s", "uid", [0])[0]
    with (
        connect(endpoints.warehouse(settings), autocommit=True) as one,
        connect(endpoints.warehouse(settings), autocommit=True) as other,
        Writer((one, other), lambda: None, lambda _: None) as writer,
    ):
        for number in range(60):
            batch = Batch("s", "uid", {0: at}, 100_000)
            for _ in range(10):
                chosen = (
                    max(0, number * 8 - rng.randrange(reach))
                    if rng.random() < 0.3
                    else number * 8 + rng.randrange(8)
                )
                sent.add(chosen)
                batch.add(0, at, raw(event(chosen)), NOW)
                at += 1
            writer.submit(batch)
        writer.settle()
    assert warehouse.execute("select count(*), count(distinct message_id) from raw.events").fetchone() == (
        len(sent), len(sent),
    )  # fmt: skip
    assert warehouse.execute("select sum(events) from ops.event_hours").fetchone() == (len(sent),)
    assert read_books(warehouse).differences == []


def test_workers_with_the_same_ids_in_any_order_store_each_once(
    settings: Settings, warehouse: Connection
) -> None:
    ids = list(range(400))

    def worker(partition: int) -> Written:
        rng, total = Random(partition), Written(0, 0, 0, 0)
        with connect(endpoints.warehouse(settings), autocommit=True) as connection:
            for round_ in range(5):
                at = positions(connection, "s", "uid", [partition])
                batch = Batch("s", "uid", at, 100_000)
                for step, number in enumerate(rng.sample(ids, len(ids))):
                    batch.add(partition, at[partition] + step, raw(event(number + 400 * round_)), NOW)
                total += write_batch(connection, batch)
        return total

    with ThreadPoolExecutor(3) as pool:
        done = sum(pool.map(worker, range(3)), Written(0, 0, 0, 0))
    assert (done.received, done.loaded, done.duplicate) == (6_000, 2_000, 4_000)
    assert read_books(warehouse).differences == []
    assert warehouse.execute("select count(distinct message_id) from raw.events").fetchone() == (2_000,)


def test_freshness_bounds_the_delays_that_were(warehouse: Connection) -> None:
    now = warehouse.execute("select now()").fetchone()[0]
    batch = Batch("s", "uid", positions(warehouse, "s", "uid", [0]), 100_000)
    for number in range(100):  # two slow ones on the way, one of an old client
        produced = now - timedelta(seconds=20 if number < 2 else 0.2)
        occurred = now - timedelta(days=40 if number == 0 else 0, seconds=0.3)
        one = event(timestamp=occurred.isoformat())
        batch.add(0, number, raw(one), now, int(produced.timestamp() * 1000))
    write_batch(warehouse, batch)
    found = {
        stage: figures
        for stage, *figures in warehouse.execute(
            "select stage, sum(records), min(p50_ms), max(p95_ms), max(p99_ms) from ops.freshness group by stage"
        ).fetchall()
    }
    for stage, slow in (("produced", 20_000), ("occurred", 0)):
        records, half, most, nearly_all = (float(one) for one in found[stage])
        assert records == 100
        assert 200 <= half <= most < 5_000, "the middle is not moved by a few"
        assert nearly_all >= slow


@given(st.floats(-1e3, 1e12))
def test_a_delay_is_counted_in_the_step_that_bounds_it(milliseconds: float) -> None:
    step = delays.step(milliseconds)
    assert milliseconds < 2 ** (step / 4) or step == delays.LARGEST
    assert step == 1 or milliseconds >= 2 ** ((step - 1) / 4) * 0.999_999


def test_a_good_record_is_loaded_where_one_with_its_id_was_refused(warehouse: Connection) -> None:
    batch = Batch("s", "uid", positions(warehouse, "s", "uid", [0]), 100_000)
    nul = {"product_id": "p1", "name": "a\0b"}
    records = [
        event(1, properties=nul),
        event(1, properties=nul),
        event(1),
        event(1, properties=nul),
        event(2),
    ]
    for number, record in enumerate(records):
        batch.add(0, number, raw(record), NOW)
    done = write_batch(warehouse, batch)
    assert (done.loaded, done.duplicate, done.quarantined) == (2, 1, 2)
    assert read_books(warehouse).differences == []
    assert warehouse.execute("select array_agg(position order by position) from raw.events").fetchone() == (
        [2, 4],
    )


class Second:
    """A batch handed in while the first is still being written; the first ends when `let_go` is called."""

    def __init__(self, settings: Settings, first: Batch, second: Batch) -> None:
        self._settings, self._pool, self._held = settings, ThreadPoolExecutor(2), threading.Event()
        ids = frozenset(one.message_id for one in first.accepted)
        self.first = self._pool.submit(self._write_first, first)
        self.second = self._pool.submit(self._write, second, Ahead(first, ids, self.first))

    def let_go(self) -> None:
        self._held.set()
        self._pool.shutdown(wait=True)

    def _write_first(self, batch: Batch) -> Written:
        assert self._held.wait(30)
        return self._write(batch, None)

    def _write(self, batch: Batch, ahead: Ahead | None) -> Written:
        with connect(endpoints.warehouse(self._settings), autocommit=True) as connection:
            return write_batch(connection, batch, ahead)


def two_batches(warehouse: Connection, first: list[bytes], second: list[bytes]) -> tuple[Batch, Batch]:
    at = positions(warehouse, "s", "uid", [0])[0]
    one, other = Batch("s", "uid", {0: at}, 100_000), Batch("s", "uid", {0: at + len(first)}, 100_000)
    for number, record in enumerate(first):
        one.add(0, at + number, record, NOW)
    for number, record in enumerate(second):
        other.add(0, at + len(first) + number, record, NOW)
    return one, other


def waiting(warehouse: Connection) -> bool:
    """Whether a batch has written its rows and waits for the one ahead."""
    return bool(
        warehouse.execute(
            "select 1 from pg_stat_activity where datname = current_database() and state = 'idle in transaction' "
            "and starts_with(lower(query), 'release')"
        ).fetchone()
    )


def until(condition: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


def test_a_batch_never_overtakes_the_one_ahead_and_leaves_the_ids_of_both_to_it(
    settings: Settings, warehouse: Connection
) -> None:
    first, second = two_batches(
        warehouse, [raw(event(1)), raw(event(2))], [raw(event(2)), raw(event(3)), raw(event(3))]
    )
    both = Second(settings, first, second)
    until(lambda: waiting(warehouse))
    assert warehouse.execute("select count(*) from raw.events").fetchone() == (0,)
    both.let_go()
    assert (both.first.result().loaded, both.second.result().loaded) == (2, 1)
    assert both.second.result().duplicate == 2
    assert read_books(warehouse).differences == []


def test_an_id_left_to_the_batch_ahead_is_loaded_where_the_server_refused_it_there(
    settings: Settings, warehouse: Connection
) -> None:
    refused = raw(event(1, properties={"product_id": "p1", "name": "a\0b"}))
    both = Second(settings, *two_batches(warehouse, [refused, raw(event(2))], [raw(event(1)), raw(event(3))]))
    until(lambda: waiting(warehouse))
    both.let_go()
    assert (both.first.result().loaded, both.first.result().quarantined) == (1, 1)
    assert (both.second.result().loaded, both.second.result().duplicate) == (2, 0)
    assert read_books(warehouse).differences == []


def test_a_batch_behind_one_that_failed_leaves_nothing(settings: Settings, warehouse: Connection) -> None:
    first, second = two_batches(warehouse, [raw(event(1))], [raw(event(2))])
    both = Second(settings, first, second)
    until(lambda: waiting(warehouse))
    warehouse.execute("update ops.positions set next_position = 7")  # another worker was here
    both.let_go()
    for failed in (both.first, both.second):
        with pytest.raises(Fenced):
            failed.result()
    assert warehouse.execute("select count(*) from raw.message_ids").fetchone() == (0,)
    assert warehouse.execute("select count(*) from ops.ledger").fetchone() == (0,)


def test_a_worker_that_waited_for_another_s_id_counts_it_as_a_duplicate(
    settings: Settings, warehouse: Connection
) -> None:
    batch, _ = two_batches(warehouse, [raw(event(1)), raw(event(2))], [])
    with connect(endpoints.warehouse(settings)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("insert into raw.message_ids values (%s, 1)", [batch.accepted[0].message_id])
        written = pool.submit(write_batch, warehouse, batch)
        until(
            lambda: bool(
                other.execute(
                    "select 1 from pg_locks where not granted and locktype = 'transactionid'"
                ).fetchone()
            )
        )
        other.commit()
        assert (written.result().loaded, written.result().duplicate) == (1, 1)


def test_two_workers_whose_batches_wait_for_each_other_s_ids_through_the_order_of_commits_both_end(
    settings: Settings, warehouse: Connection
) -> None:
    # The other worker has 1 and waits for 2; the second batch has 2 and waits for the first, which waits for 1.
    first, second = two_batches(warehouse, [raw(event(1)), raw(event(3))], [raw(event(2))])
    other = Batch("s", "uid", positions(warehouse, "s", "uid", [1]), 100_000)
    for number in (1, 2):
        other.add(1, number - 1, raw(event(number)), NOW)
    ids = [one.message_id for one in other.accepted]
    assert ids == sorted(ids)
    both = Second(settings, first, second)
    until(lambda: waiting(warehouse))
    with connect(endpoints.warehouse(settings), autocommit=True) as connection, ThreadPoolExecutor(1) as pool:
        third = pool.submit(write_batch, connection, other)
        until(
            lambda: bool(
                warehouse.execute(
                    "select 1 from pg_locks where not granted and locktype = 'transactionid'"
                ).fetchone()
            )
        )
        both.let_go()
        done = [both.first.result(), both.second.result(), third.result()]
    assert sum(one.loaded for one in done) == 3
    assert sum(one.duplicate for one in done) == 2
    assert read_books(warehouse).differences == []
