"""The dbt project on a real warehouse: what a run sees, which layer a test belongs to, what is recorded."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from ingestion.batch import Batch
from ingestion.warehouse import write_batch
from mercato import postgres
from mercato.postgres import Connection
from mercato.services import dbt, dbt_process, endpoints
from mercato.settings import Settings
from tests.events import NOW, event, raw

Dbt = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(settings: Settings, tmp_path: Any) -> Dbt:
    """Run dbt in the project, its target folder a temporary one."""
    env = {**dbt.environment(settings), "DBT_TARGET_PATH": str(tmp_path), "DBT_LOG_PATH": str(tmp_path)}

    def call(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(dbt_process.program()), *words], cwd=dbt.PROJECT, env={**env, **more},
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip

    return call


def load(connection: Connection, position: int, **order: Any) -> None:
    """One event as a batch of its own, in partition `position`."""
    batch = Batch("test", "test", {position: 0}, max_record_bytes=1_000_000)
    batch.add(position, 0, raw(event(position, **order)), NOW)
    connection.execute("insert into ops.positions values ('test', 'test', %s, 0)", [position])
    assert write_batch(connection, batch).loaded == 1


def test_a_batch_that_began_earlier_and_commits_later_is_not_skipped(run, settings, warehouse):
    newest_batch = "select coalesce(max(batch_id), 0) from raw.events"
    naive, seen = 0, 0
    with postgres.connect(endpoints.warehouse(settings)) as slow:
        with slow.transaction():
            load(slow, 1)  # took its transaction id and batch id; not committed
            load(warehouse, 2)
            assert run("run", "--select", "+stg_events").returncode == 0
            naive += warehouse.execute("select count(*) from raw.events where batch_id > 0").fetchone()[0]
            mark = warehouse.execute(newest_batch).fetchone()[0]
            seen = warehouse.execute("select count(*) from staging.stg_events").fetchone()[0]
        assert seen == 0  # the later batch waits for the earlier one
    assert run("run", "--select", "+stg_events").returncode == 0
    naive += warehouse.execute("select count(*) from raw.events where batch_id > %s", [mark]).fetchone()[0]
    assert warehouse.execute("select count(*) from staging.stg_events").fetchone() == (2,)
    assert naive == 1  # reading on from the newest batch seen loses the slow one


def test_loading_goes_on_while_models_stand_still(run, warehouse):
    load(warehouse, 1)
    assert run("run", "--select", "+stg_events").returncode == 0
    load(warehouse, 2)
    assert run("run", "--select", "stg_events").returncode == 0  # the watermark stands
    assert warehouse.execute("select count(*) from staging.stg_events").fetchone() == (1,)


def test_no_table_of_increments_waits_until_a_fifth_of_it_is_dead_for_its_vacuum(run, warehouse):
    assert run("run", "--select", "+stg_events").returncode == 0
    row = warehouse.execute(
        "select reloptions from pg_class where oid = 'staging.stg_events'::regclass"
    ).fetchone()
    assert row == (["autovacuum_vacuum_scale_factor=0.01", "fillfactor=90"],)


def test_every_test_runs_in_exactly_one_layer(run):
    def listed(*words: str) -> list[str]:
        kinds = ("--resource-type", "model", "test")
        done = run("--quiet", "ls", *words, *kinds, "--output", "json", "--output-keys", "unique_id")
        assert done.returncode == 0, done.stdout
        return [json.loads(line)["unique_id"] for line in done.stdout.splitlines()]

    layers = Counter(name for layer in dbt.LAYERS for name in listed(*dbt.selection(layer)))
    assert set(layers.values()) == {1}
    assert layers.keys() == set(listed())


def test_an_empty_warehouse_builds_and_its_docs_describe_every_model_and_column(run, tmp_path):
    built = run("--warn-error", "build")
    assert built.returncode == 0, built.stdout[-2000:]
    assert len(re.findall(r"PASS \w+::\w+", built.stdout)) > 20  # the unit tests, which no layer runs
    docs = run("--warn-error", "docs", "generate")
    assert docs.returncode == 0, docs.stdout[-2000:]
    manifest, catalog = (
        json.loads((tmp_path / f"{name}.json").read_text("utf-8")) for name in ("manifest", "catalog")
    )
    told = {**manifest["nodes"], **manifest["sources"], **manifest["exposures"]}
    kinds = ("model", "source", "exposure")
    bare = [name for name, one in told.items() if one["resource_type"] in kinds and not one["description"]]
    assert bare == []
    models = {name: one["columns"] for name, one in catalog["nodes"].items() if name.startswith("model.")}
    assert len(models) > 80
    assert [
        f"{name}.{column}"
        for name, columns in models.items()
        for column in columns
        if not told[name]["columns"].get(column, {}).get("description")
    ] == []


def test_results_are_recorded_also_of_what_failed(run, warehouse):
    load(warehouse, 1)
    assert run("build", "--select", "+stg_events").returncode == 0
    warehouse.execute(
        "insert into raw.events"
        " (message_id, type, timestamp, partition, position, batch_id)"
        " values ('side door', 'page', now(), 0, 0, 9999)"
    )
    failed = run(
        "test", "--select", "events_are_booked", AIRFLOW_CTX_DAG_ID="o'dag", AIRFLOW_CTX_DAG_RUN_ID="run%s"
    )
    assert failed.returncode == 1
    row = warehouse.execute(
        "select status, failures, command, dag_id, dag_run_id, started_at <= completed_at"
        " from ops.dbt_results where name = 'events_are_booked' order by recorded_at desc limit 1"
    ).fetchone()
    assert row == ("fail", 1, "test", "o'dag", "run%s", True)
    kept = warehouse.execute("select batch_id, events from test_failures.events_are_booked").fetchall()
    assert kept == [(9999, 1)]
    tables = "select tablename from pg_tables where schemaname = 'test_failures'"
    assert warehouse.execute(tables).fetchall() == [("events_are_booked",)]  # none of what passed
    warehouse.execute("delete from raw.events where batch_id = 9999")
    assert run("test", "--select", "events_are_booked").returncode == 0
    assert warehouse.execute(tables).fetchall() == []


def test_a_message_of_any_characters_is_recorded(run, warehouse):
    odd = "it's 100%s %(x)s \\ é $$ ''"
    macro = "{{ quoted(var('odd')) }}"
    done = run("--quiet", "show", "--inline", f"select {macro} as said", "--vars", json.dumps({"odd": odd}),
               "--output", "json")  # fmt: skip
    assert json.loads(done.stdout)["show"] == [{"said": odd}]
