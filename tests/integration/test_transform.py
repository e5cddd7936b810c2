"""`mercato transform` on a real warehouse: green means green, red leaves marts and reports as they were."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.batch import Batch
from ingestion.warehouse import write_batch
from mercato.commands import transform, verify
from mercato.errors import ServiceUnavailable
from mercato.postgres import Connection
from mercato.services import dbt, dbt_process
from mercato.services.dbt_results import Interrupted, Layer, LayerFailed, judge
from mercato.settings import PREFIX, Settings, Warehouse
from tests.events import NOW, event, raw

MODEL, TEST = "model.shop.stg_orders", "test.shop.unique_stg_orders_order_id.1"
MANIFEST = {
    "nodes": {
        MODEL: {
            "name": "stg_orders",
            "resource_type": "model",
            "original_file_path": "models/staging/stg_orders.sql",
            "config": {"materialized": "view"},
        },
        TEST: {
            "name": "unique_stg_orders_order_id",
            "resource_type": "test",
            "original_file_path": "models/staging/_staging.yml",
            "attached_node": MODEL,
            "depends_on": {"nodes": [MODEL]},
            "relation_name": '"warehouse"."test_failures"."unique_stg_orders_order_id"',
        },
    }
}
GREEN = [{"unique_id": MODEL, "status": "success"}, {"unique_id": TEST, "status": "pass"}]
RED = {
    "unique_id": TEST,
    "status": "fail",
    "failures": 7,
    "message": "Got 7 results, configured to fail if != 0",
}


@pytest.fixture
def project(settings: Settings, tmp_path: Path) -> Callable[[str], Layer]:
    """Build a layer of a copy of the dbt project; its folder is `tmp_path / "project"`."""
    copy = tmp_path / "project"
    shutil.copytree(dbt.PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs", ".env"))
    own = settings.model_copy(
        update={"home": tmp_path / "home"}
    )  # its own target: the copy is another project
    return lambda layer: dbt.build(own, layer, project=copy)


def lie(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    results: object = None,
    manifest: object = MANIFEST,
    code: int = 0,
) -> None:
    """Put a program in dbt's place that writes these files and ends with this code."""
    fake = tmp_path / "fake-dbt"
    fake.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib\n"
        "target = pathlib.Path(os.environ['DBT_TARGET_PATH'])\n"
        f"for name, content in (('run_results', {results!r}), ('manifest', {manifest!r})):\n"
        "    if content is not None:\n"
        "        (target / f'{name}.json').write_text(json.dumps(content))\n"
        "print('all is well')\n"
        f"raise SystemExit({code})\n"
    )
    fake.chmod(0o755)
    monkeypatch.setattr(dbt_process, "program", lambda: fake)
    monkeypatch.setattr(dbt_process, "_project", None)  # nor is the real one forked


def load_order(warehouse: Connection, number: int) -> None:
    """One paid order in raw, through the door that all events take."""
    order = event(
        number,
        event="Order Completed",
        userId="customer",
        properties={
            "order_id": f"order-{number}", "currency": "USD", "total": 30.0,
            "products": [{"product_id": "p1", "price": 15.0, "quantity": 2}],
        },
    )  # fmt: skip
    batch = Batch("test", "test", {0: number}, max_record_bytes=1_000_000)
    batch.add(0, number, raw(order), NOW)
    assert batch.rejects == []
    warehouse.execute(
        "insert into ops.positions values ('test', 'test', 0, %s) on conflict do nothing", [number]
    )
    assert write_batch(warehouse, batch).loaded == 1


def run(project: Callable[[str], Layer]) -> list[Layer]:
    return [project(layer) for layer in dbt.LAYERS]


def tables(warehouse: Connection, *schemas: str) -> dict[str, tuple[int, int]]:
    """Each table with its identity, which a rebuild changes, and its number of rows."""
    found = warehouse.execute(
        "select oid::regclass::text, oid::bigint from pg_class"
        " where relkind = 'r' and relnamespace::regnamespace::text = any(%s)",
        [list(schemas)],
    ).fetchall()
    return {
        name: (oid, warehouse.execute(f"select count(*) from {name}").fetchone()[0]) for name, oid in found
    }


def test_a_broken_staging_rule_stops_the_run_and_marts_keep_their_rows(project, warehouse, tmp_path):
    load_order(warehouse, 1)
    assert all(done.models > 0 for done in run(project))
    before = tables(warehouse, "marts", "reports")
    assert before["marts.fct_orders"][1] == 1

    load_order(warehouse, 2)  # would change marts, were they built
    rule = tmp_path / "project" / "tests" / "staging" / "no_order_is_wrong.sql"
    rule.parent.mkdir(exist_ok=True)
    rule.write_text("select order_id from {{ ref('stg_orders') }}")
    with pytest.raises(LayerFailed) as failure:
        run(project)
    said = failure.value.what
    assert "layer staging" in said
    assert "model stg_orders" in said
    assert "no_order_is_wrong" in said
    assert "failing rows: 2" in said
    kept = said.partition("kept in ")[2].split()[0]
    assert warehouse.execute(f"select count(*) from {kept}").fetchone() == (2,)
    assert tables(warehouse, "marts", "reports") == before

    rule.unlink()
    assert project("staging").tests > 0


def test_the_command_prints_layers_and_twice_is_as_good_as_once(mercato, warehouse):
    load_order(warehouse, 1)
    done = mercato("transform", "--json")
    assert done.returncode == 0, done.stderr
    assert [layer["layer"] for layer in json.loads(done.stdout)["layers"]] == list(dbt.LAYERS)
    assert "staging" in done.stderr
    before = tables(warehouse, "reports")
    assert mercato("transform", "--layer", "reports").returncode == 0
    after = tables(warehouse, "reports")
    assert {name: rows for name, (_, rows) in after.items()} == {
        name: rows for name, (_, rows) in before.items()
    }


def test_a_project_that_changed_since_it_was_read_is_read_again(settings, warehouse, monkeypatch, tmp_path):
    copy = tmp_path / "project"
    shutil.copytree(dbt.PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs", ".env"))
    monkeypatch.setattr(dbt, "PROJECT", copy)
    monkeypatch.setattr(dbt_process, "_project", None)  # other tests are not forked from what is read here
    own = settings.model_copy(update={"home": tmp_path / "home"})
    load_order(warehouse, 1)
    dbt.prepare(own)
    dbt.build(own, "staging", project=copy)
    model = copy / "models" / "staging" / "stg_orders.sql"
    model.write_text("select 1 as no_such_order")
    task = multiprocessing.get_context("fork").Process(
        target=dbt.prepare, args=(own,)
    )  # as Airflow forks its tasks
    task.start()
    task.join(100)
    assert task.exitcode == 0  # it didn't parse: see `execute`
    with pytest.raises(LayerFailed, match="stg_orders"):
        dbt.build(own, "staging", project=copy)


def test_verify_says_when_what_is_made_once_a_day_will_be_there(warehouse):
    (said,) = verify._against_cohorts(warehouse, {"cohorts": []})
    assert "not made yet" in said
    assert "DAG `publish`" in said
    assert "`mercato transform --layer daily`" in said


def test_what_is_forked_has_no_macro_left_to_translate(settings, warehouse, monkeypatch):
    monkeypatch.setattr(dbt_process, "_project", None)  # other tests are not forked from what is read here
    jinja = pytest.importorskip("dbt_common.clients.jinja")
    jinja.template_cache.clear()
    dbt.prepare(settings)
    before = set(jinja.template_cache.file_cache)
    load_order(warehouse, 1)

    def layers() -> None:
        for layer in dbt.LAYERS:
            words = ["--quiet", "--no-write-json", "build", *dbt.selection(layer)]
            os.environ.update(dbt.environment(settings))
            os.chdir(dbt.PROJECT)
            assert dbt_process._runner(dbt_process._project[0]).invoke(words).success
        left = set(jinja.template_cache.file_cache) - before
        assert not left, sorted(text.partition("(")[0] for text in left)

    task = multiprocessing.get_context("fork").Process(target=layers)
    task.start()
    task.join(300)
    assert task.exitcode == 0


def test_a_model_that_an_older_version_read_holds_nothing_up(settings, warehouse, monkeypatch):
    monkeypatch.setattr(dbt_process, "_project", None)  # other tests are not forked from what is read here
    load_order(warehouse, 1)
    list(transform.run(settings, ("staging", "intermediate")))
    warehouse.execute(
        "insert into ops.model_reads values ('intermediate.int_visitors', 'intermediate.int_orders', 0)"
    )
    load_order(warehouse, 2)
    assert len(list(transform.run(settings, ("staging", "intermediate")))) == 2


def test_a_warehouse_that_is_away_is_said_so(mercato):
    done = mercato("transform", "--layer", "staging", MERCATO_WAREHOUSE__PORT="9")
    assert done.returncode == 1
    assert "127.0.0.1:9/" in done.stderr
    assert "doesn't answer: Connection refused" in " ".join(done.stderr.split())
    assert "cure" in done.stderr


LIES = {
    "failed test": (
        {"results": [GREEN[0], RED]},
        MANIFEST,
        "stg_orders, test unique_stg_orders_order_id\n *failing rows: 7, kept in test_failures",
    ),
    "errored model": (
        {"results": [{**GREEN[0], "status": "error", "message": "no such column"}]},
        MANIFEST,
        "no such",
    ),
    "skipped model": ({"results": [{**GREEN[0], "status": "skipped"}, GREEN[1]]}, MANIFEST, "skipped"),
    "unknown status": ({"results": [{**GREEN[0], "status": "partial success"}]}, MANIFEST, "partial success"),
    "test that never ran": ({"results": GREEN[:1]}, MANIFEST, "lack unique_stg_orders_order_id"),
    "model that never ran": ({"results": []}, MANIFEST, "lack stg_orders, unique_stg_orders_order_id"),
    "no results": (None, MANIFEST, "left no results: all is well"),
    "results of another shape": ({"result": []}, MANIFEST, "left no results"),
    "no manifest": ({"results": GREEN}, None, "nothing was built"),
    "nothing in the layer": ({"results": []}, {"nodes": {}}, "nothing was built"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_dbt_that_exits_0_is_not_believed(name, settings, monkeypatch, tmp_path):
    results, manifest, words = LIES[name]
    lie(monkeypatch, tmp_path, results=results, manifest=manifest)
    with pytest.raises(LayerFailed, match=words):
        dbt.build(settings.model_copy(update={"home": tmp_path}), "staging")


def test_results_of_an_earlier_run_prove_nothing(settings, monkeypatch, tmp_path):
    own = settings.model_copy(update={"home": tmp_path})
    lie(monkeypatch, tmp_path, results={"results": GREEN})
    assert dbt.build(own, "staging").tests == 1
    lie(monkeypatch, tmp_path, results=None)
    with pytest.raises(LayerFailed, match="left no results"):
        dbt.build(own, "staging")


def test_an_exit_code_is_believed_against_good_results(settings, monkeypatch, tmp_path):
    lie(monkeypatch, tmp_path, results={"results": GREEN}, code=2)
    with pytest.raises(LayerFailed, match="ended with code 2"):
        dbt.build(settings.model_copy(update={"home": tmp_path}), "staging")


def test_only_a_lost_connection_is_worth_another_try(tmp_path):
    for message, error in (
        ("could not connect to server: Connection refused", ServiceUnavailable),
        ("terminating connection due to administrator command", ServiceUnavailable),
        ("column total does not exist", LayerFailed),
    ):
        results = {"results": [{"unique_id": MODEL, "status": "error", "message": message}]}
        (tmp_path / "run_results.json").write_text(json.dumps(results))
        with pytest.raises(error):
            judge("staging", tmp_path, 1, [], seconds=1)


def test_a_dbt_with_good_results_is_not_believed_where_the_books_say_otherwise(
    project, settings, warehouse, monkeypatch, tmp_path
):
    """Exit 0, every result good, but nothing was taken in: its watermark, and what was read, stood still."""
    load_order(warehouse, 1)
    run(project)
    target = tmp_path / "home" / "dbt" / "target"
    own = settings.model_copy(update={"home": tmp_path / "home"})
    load_order(warehouse, 2)
    honest = transform.build(own, "staging")
    assert honest.tests > 0
    for layer, lagging in (
        ("staging", "staging.stg_load_watermark did not take in"),
        ("intermediate", "intermediate.int_orders"),
    ):
        manifest = json.loads((target / "manifest.json").read_text())
        nodes = [*manifest["nodes"].values(), *manifest["unit_tests"].values()]
        due = [
            node
            for node in nodes
            if node["original_file_path"].startswith((f"models/{layer}/", f"tests/{layer}/"))
        ]
        good = [{"unique_id": node["unique_id"], "status": "success"} for node in due]
        lie(monkeypatch, tmp_path, results={"results": good}, manifest=None)
        with pytest.raises(LayerFailed, match="dbt says that all is well") as failure:
            transform.build(own, layer)
        assert lagging in failure.value.what
    monkeypatch.undo()
    for layer in dbt.LAYERS[1:]:
        transform.build(own, layer)


def test_a_killed_dbt_is_named_and_worth_another_try(settings, monkeypatch, tmp_path):
    lie(monkeypatch, tmp_path, results={"results": GREEN})
    fake = tmp_path / "fake-dbt"
    fake.write_text("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(Interrupted, match="layer staging: dbt was ended by SIGKILL"):
        dbt.build(settings.model_copy(update={"home": tmp_path}), "staging")


def test_runs_never_overlap_even_when_the_caller_was_killed(settings, monkeypatch, tmp_path):
    own = settings.model_copy(update={"home": tmp_path})
    (tmp_path / "dbt").mkdir()
    holder = subprocess.Popen(["flock", str(tmp_path / "dbt" / "lock"), "sleep", "2"])
    time.sleep(0.5)
    lie(monkeypatch, tmp_path / "dbt", results={"results": GREEN})
    waiting = threading.Thread(target=dbt.build, args=(own, "staging"))
    waiting.start()
    time.sleep(0.5)
    assert not (tmp_path / "dbt" / "target" / "run_results.json").exists()
    waiting.join(20)
    assert (tmp_path / "dbt" / "target" / "run_results.json").exists()
    assert holder.wait(5) == 0


def test_outside_warehouse_reaches_dbt(settings):
    outside = settings.model_copy(update={"warehouse": Warehouse(host="db.example", password="x")})
    assert dbt.environment(outside)[f"{PREFIX}WAREHOUSE__HOST"] == "db.example"
