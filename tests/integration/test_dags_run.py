"""Each DAG on the real stack, over Airflow's REST API: green, red with the cause's name, and green again."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest

from ingestion.batch import Batch
from ingestion.warehouse import write_batch
from mercato.postgres import Connection, connect, sql
from mercato.services import airflow, airflow_api, dbt, endpoints, postgres, process
from mercato.services.airflow_api import Api, run_dag
from mercato.services.airflow_supervisor import session_members
from mercato.settings import PREFIX, ROOT, Settings
from tests.events import NOW, event, raw
from tests.webhook import listening

#: DAG to the params that it is triggered with.
GREEN = {
    "transform": {"full_refresh": False}, "ingest": {}, "maintain": {}, "prove": {}, "publish": {},
    "backfill": {"from": "2026-11-01", "to": "2026-12-01", "models": ["fct_orders", "fct_sales_daily"]},
}  # fmt: skip
#: But what is made of the daily layer: in a new warehouse `publish` makes it whenever it comes to it.
DAILY = "|".join(path.stem for path in (ROOT / "dbt_project/models/daily").glob("*.sql"))
MARTS = (
    "select relname, oid from pg_class where relnamespace::regnamespace::text in ('marts', 'reports') "
    f"and relname !~ '^({DAILY})'"
)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What comes to the webhook of the settings."""
    with listening() as (address, got):
        monkeypatch.setenv(f"{PREFIX}ALERTS__WEBHOOK", address)
        yield got


@pytest.fixture
def up(settings: Settings, warehouse: Connection, told: list[Any]) -> Iterator[Settings]:
    """Airflow on an empty warehouse with one order in raw."""
    order = event(
        1, event="Order Completed", userId="customer",
        properties={"order_id": "o1", "currency": "USD", "products": [{"product_id": "p", "price": 15.0}]},
    )  # fmt: skip
    batch = Batch("test", "test", {0: 0}, max_record_bytes=1_000_000)
    batch.add(0, 0, raw(order), NOW)
    warehouse.execute("insert into ops.positions values ('test', 'test', 0, 0)")
    write_batch(warehouse, batch)
    airflow.start(settings)
    yield settings
    airflow.stop(settings)


def rows(warehouse: Connection, table: str) -> int:
    statement = sql.SQL("select count(*) from {}").format(sql.Identifier(*table.split(".")))
    (found,) = warehouse.execute(statement).fetchone()
    return found


def test_each_dag_ends_green_and_all_of_it_is_in_ops(up: Settings, warehouse: Connection) -> None:
    runs = {}
    for name, params in GREEN.items():
        if name == "publish" and "daily" not in dbt.LAYERS:
            continue
        runs[name] = run_dag(up, name, params=params, timeout=900)
    assert rows(warehouse, "marts.fct_orders") == 1
    for name, run in runs.items():
        assert process.wait_until(
            lambda name=name, run=run: warehouse.execute(
                "select run_type, state from ops.dag_runs"
                " where dag_id = %s and run_id = %s and duration_s > 0 and delay_s >= 0",
                [name, run.run_id],
            ).fetchall() == [("manual", "success")],
            seconds=30,
        ), name  # fmt: skip
        recorded = warehouse.execute(
            "select task_id, state from ops.task_runs where dag_id = %s and run_id = %s and try_number = 1",
            [name, run.run_id],
        ).fetchall()
        assert sorted(recorded) == sorted((task.name, task.state) for task in run.tasks)
    timeline = warehouse.execute(
        "select kind, task_id, name, status, rows from ops.run_timeline where dag_id = 'transform' and run_id = %s",
        [runs["transform"].run_id],
    ).fetchall()
    assert ("model", "marts", "fct_orders", "success", 1) in timeline
    assert ("test", "marts", "order_net_is_gross_less_discount", "pass", 0) in timeline
    assert {task_id for kind, task_id, *_ in timeline if kind == "task"} == {
        "staging",
        "intermediate",
        "marts",
        "reports",
    }
    assert [task.state for task in runs["prove"].tasks if task.name == "truth"] == ["skipped"]


def test_raw_that_grows_starts_a_transform_by_itself(up: Settings, warehouse: Connection) -> None:
    assert process.wait_until(
        lambda: warehouse.execute(
            "select 1 from ops.dag_runs"
            " where dag_id = 'transform' and run_type = 'asset_triggered' and state = 'success'"
        ).fetchone() is not None,
        seconds=180,
    )  # fmt: skip
    assert rows(warehouse, "marts.fct_orders") == 1


def test_a_new_warehouse_has_its_daily_tables_before_the_night(up: Settings, warehouse: Connection) -> None:
    def made() -> bool:
        return warehouse.execute("select to_regclass('reports.rpt_as_of')").fetchone() != (None,)

    run_dag(up, "transform", timeout=900)
    if made():  # by a test before this one; the watcher, which looks every 30 s, must have seen it to miss it
        time.sleep(31)
    warehouse.execute("drop table if exists reports.rpt_as_of cascade")  # as before the first night
    assert process.wait_until(made, seconds=600)
    assert rows(warehouse, "reports.rpt_as_of") == 1
    assert process.wait_until(
        lambda: warehouse.execute(
            "select 1 from ops.dag_runs where dag_id = 'publish' and run_type = 'asset_triggered' and state = 'success'"
        ).fetchone() is not None,
        seconds=300,
    )  # fmt: skip


def red(settings: Settings, name: str = "transform") -> tuple[str, dict[str, str]]:
    """Run it to its red end: its message, and the states of the tasks."""
    states: dict[str, str] = {}
    with pytest.raises(airflow_api.RunFailed) as failure:
        run_dag(
            settings,
            name,
            lambda tasks: states.update({task.name: task.state for task in tasks}),
            timeout=900,
        )
    return str(failure.value), states


def test_each_cause_of_red_is_named_marts_stay_and_it_is_green_when_the_cause_is_gone(
    up: Settings, warehouse: Connection, told: list[Any]
) -> None:
    run_dag(up, "transform", timeout=900)
    before = set(warehouse.execute(MARTS).fetchall())
    skipped = {"intermediate": "upstream_failed", "marts": "upstream_failed", "reports": "upstream_failed"}

    # A test of staging: an event that came in by a side door.
    warehouse.execute(
        "insert into raw.events (message_id, type, event, timestamp, partition, position, batch_id)"
        " values ('x', 'track', 'Product Viewed', now(), 0, 0, 999)"
    )
    said, states = red(up)
    for words in ("task staging", "source raw.events", "test events_are_booked", "failing rows: 1"):
        assert words in said
    assert states == {"staging": "failed", **skipped}
    assert set(warehouse.execute(MARTS).fetchall()) == before
    # The same words, to whom it concerns. Maybe not first: a run that the test before this one broke off goes on
    # when Airflow does, on this test's warehouse, and fails there.
    assert process.wait_until(
        lambda: any(
            "DAG transform failed" in one["text"] and "test events_are_booked" in one["text"] for one in told
        ),
        seconds=120,
    ), told
    warehouse.execute("delete from raw.events where message_id = 'x'")
    run_dag(up, "transform", timeout=900)

    # A test of a mart: a row that was changed by hand. Reports don't take it over; a backfill heals it.
    warehouse.execute("update marts.fct_orders set discount_minor = 7")
    reports = warehouse.execute("select * from reports.rpt_daily_sales").fetchall()
    said, states = red(up)
    for words in ("task marts", "model fct_orders, test order_net_is_gross_less_discount", "failing rows: 1"):
        assert words in said
    assert states == {
        "staging": "success", "intermediate": "success", "marts": "failed", "reports": "upstream_failed",
    }  # fmt: skip
    assert warehouse.execute("select * from reports.rpt_daily_sales").fetchall() == reports
    run_dag(up, "backfill", params=GREEN["backfill"], timeout=900)
    run_dag(up, "transform", timeout=900)

    # The database: nobody is let in. Tried again, in vain.
    with closed(up):
        said, states = red(up)
    assert "doesn't let us in" in said
    assert "cure" in said
    assert states == {"staging": "failed", **skipped}
    assert set(warehouse_anew(up).execute(MARTS).fetchall()) == before
    run_dag(up, "transform", timeout=900)

    # The process of dbt: kill -9, at each try.
    with killed_whenever_it_waits_for(up, "ops.models"):
        said, states = red(up)
    assert "task staging" in said
    assert "dbt was ended by SIGKILL" in said
    assert states == {"staging": "failed", **skipped}
    run_dag(up, "transform", timeout=900)
    assert set(warehouse_anew(up).execute(MARTS).fetchall()) == before


def warehouse_anew(settings: Settings) -> Connection:
    return connect(endpoints.warehouse(settings), autocommit=True)


@contextmanager
def closed(settings: Settings) -> Iterator[None]:
    """The warehouse lets nobody in; Airflow's own database, on the same server, is as ever."""
    name = sql.Identifier(settings.warehouse.database)
    server = postgres.endpoint(settings, database="postgres", user=postgres.SUPERUSER)
    with connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("alter database {} allow_connections false").format(name))
        yield
        connection.execute(sql.SQL("alter database {} allow_connections true").format(name))


@contextmanager
def killed_whenever_it_waits_for(settings: Settings, table: str) -> Iterator[None]:
    """Lock the table, and SIGKILL each dbt that waits for it."""
    over = threading.Event()

    def watch() -> None:
        with warehouse_anew(settings) as holder, warehouse_anew(settings) as looker, holder.transaction():
            holder.execute(sql.SQL("lock table {} in share mode").format(sql.Identifier(*table.split("."))))
            while not over.wait(0.1):
                for (port,) in looker.execute(
                    "select client_port from pg_stat_activity where application_name = 'mercato-dbt'"
                    " and datname = current_database() and wait_event_type = 'Lock'"
                ).fetchall():
                    kill_who_talks_from(port)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def kill_who_talks_from(port: int) -> None:
    for connection in psutil.net_connections("tcp"):
        if connection.laddr and connection.laddr.port == port and connection.pid:
            with suppress(ProcessLookupError):  # it has several connections, and is dead since the first
                os.kill(connection.pid, signal.SIGKILL)


def test_a_scheduler_killed_in_a_run_leaves_no_zombie_run_and_no_half_written_mart(
    up: Settings, warehouse: Connection
) -> None:
    run_dag(up, "transform", timeout=900)
    warehouse.execute("update marts.fct_orders set country = 'nowhere'")  # so that the mart is written again
    warehouse.execute("insert into ops.model_keys_due (model, key) values ('marts.fct_orders', 'o1')")
    with warehouse.transaction():
        warehouse.execute("lock table marts.fct_orders in share mode")
        run_id = Api(up).trigger("transform")
        with warehouse_anew(up) as looker:
            waiting = "select 1 from pg_locks where not granted and relation = 'marts.fct_orders'::regclass"
            assert process.wait_until(lambda: looker.execute(waiting).fetchone() is not None, seconds=300)
        leader = process.read_number(airflow.folder(up) / "pid")
        # The supervisor's child: the scheduler's own children have its command line, and may have lower numbers.
        scheduler = next(
            one
            for one in session_members(leader)
            if one.ppid() == leader and "scheduler" in " ".join(one.cmdline())
        )
        scheduler.kill()
        assert process.wait_until(lambda: not airflow.running(up), seconds=60)
        assert process.wait_until(lambda: not session_members(leader), seconds=60)
    assert warehouse.execute("select distinct country from marts.fct_orders").fetchall() == [("nowhere",)]

    airflow.start(up)
    api = Api(up)
    ended = ("success", "failed")
    assert process.wait_until(lambda: api.state("transform", run_id) in ended, seconds=600)
    assert api.state("transform", run_id) == "success", [
        api.error("transform", run_id, task) for task in api.tasks("transform", run_id)
    ]
    assert warehouse.execute(
        "select count(*) from marts.fct_orders where country = 'nowhere'"
    ).fetchone() == (0,)
    assert process.wait_until(
        lambda: not warehouse.execute(
            "select 1 from ops.dag_runs where state = 'running' and run_id = %s", [run_id]
        ).fetchone(),
        seconds=30,
    )  # fmt: skip
