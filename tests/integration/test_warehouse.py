"""What one transaction writes, beside another one on the same server."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ingestion import delays
from ingestion.batch import Batch
from ingestion.ledger import read_books
from ingestion.warehouse import Written, positions, write_batch
from mercato.postgres import Connection, connect
from mercato.services import endpoints
from mercato.settings import Settings
from tests.events import NOW, event, raw


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
