"""The policy that every DAG keeps, read from the DAGs as Airflow reads them; no database is needed.

They are read in a process of their own, so that Airflow's settings and imports don't reach other tests, and
so that what a DAG file imports can be seen. Run alone: `pytest tests/repo/test_dags.py`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAGS = {
    #: id: its tasks, each with those before it
    "ingest": {"lag": [], "replay": ["lag"]},
    "transform": {
        "staging": [], "intermediate": ["staging"], "marts": ["intermediate"], "reports": ["marts"],
    },
    "publish": {"daily": [], "exports": ["daily"], "report": ["exports"]},
    "maintain": {"backup": [], "partitions": [], "retention": ["backup", "partitions"], "vacuum": [], "logs": []},
    "prove": {
        "ledger": [], "full_refresh": ["ledger"], "truth": ["full_refresh"],
        "verdict": ["full_refresh", "ledger", "truth"],
    },
    "backfill": {"mark": [], "intermediate": ["mark"], "marts": ["intermediate"], "reports": ["marts"]},
}  # fmt: skip
#: id: the assets that start it, and when the clock does.
SCHEDULES = {
    "ingest": ([], "*/5 * * * *"), "transform": (["raw_events"], "*/10 * * * *"),
    "publish": (["daily_reports_missing"], "15 0 * * *"), "maintain": ([], "30 1 * * *"), "prove": ([], "0 3 * * *"),
    "backfill": ([], None),
}  # fmt: skip
READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
def assets(timetable):
    condition = getattr(timetable, "asset_condition", None)
    return condition.objects if condition else ()

def cron(timetable):
    return getattr(getattr(timetable, "timetable", timetable), "expression", None)

before = set(sys.modules)
bag = DagBag(dag_folder=sys.argv[1])
print("\\n" + json.dumps({
    "errors": bag.import_errors,
    "imported": sorted({name.partition(".")[0] for name in set(sys.modules) - before}),
    "seconds": sum(stat.duration.total_seconds() for stat in bag.dagbag_stats),
    "dags": {dag.dag_id: {
        "file": dag.fileloc, "doc": dag.doc_md, "description": dag.description, "tags": sorted(dag.tags),
        "told": dag.has_on_failure_callback, "catchup": dag.catchup,
        "assets": sorted(one.name for one in assets(dag.timetable)), "cron": cron(dag.timetable),
        "max_active_runs": dag.max_active_runs, "params": list(dag.params),
        "tasks": {task.task_id: {
            "owner": task.owner, "pool": task.pool, "backoff": task.retry_exponential_backoff,
            "outlets": [one.name for one in task.outlets], "retries": task.retries, "doc": task.doc_md,
            "timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
            "upstream": sorted(task.upstream_task_ids),
        } for task in dag.tasks},
    } for dag in bag.dags.values()},
}))
"""


#: Prints after which of the looks at a warehouse `publish` is started: no reports yet; none of its tables, which stay
#: away while it is red; made; dropped.
WATCH = """
import asyncio, sys
import mercato_assets
seen, told = [], []
looks = iter([False, True, True, True, True, False, True, True, None])
def look():
    now = next(looks)
    if now is None:
        raise EOFError
    seen.append(now)
    return now

async def watch():
    async for _ in mercato_assets.DailyNeverMade().run():
        told.append(len(seen))

mercato_assets._never_made = look
mercato_assets.DailyNeverMade.EVERY = 0
try:
    asyncio.run(watch())
except EOFError:
    print("\\n", told)
"""


@pytest.fixture(scope="module")
def airflow_says(tmp_path_factory):
    """The last line that a program prints where Airflow is set up, as JSON."""
    home = tmp_path_factory.mktemp("airflow-home")
    ours = ("AIRFLOW", "MERCATO_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    env = {
        **inherited,
        "AIRFLOW_HOME": str(home),
        # Nobody listens there: reading the DAGs asks no database, neither Airflow's nor ours.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody:none@127.0.0.1:9/none",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "airflow" / "plugins"),
        "MERCATO_HOME": str(home / "nothing"),
    }

    def run(program):
        command = [sys.executable, "-c", program, str(ROOT / "airflow" / "dags")]
        paths = {"PYTHONPATH": str(ROOT / "airflow" / "plugins")} if program == WATCH else {}
        done = subprocess.run(command, env=env | paths, cwd=home, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run


@pytest.fixture(scope="module")
def read(airflow_says):
    return airflow_says(READ)


@pytest.fixture(params=sorted(DAGS))
def dag(read, request):
    return read["dags"][request.param]


def test_exactly_these_dags(read):
    # A folder without DAGs has no import errors either, so the set of ids is what is asserted.
    assert read["errors"] == {}
    assert set(read["dags"]) == set(DAGS)


def test_file_name_is_dag_id(read):
    for name, dag in read["dags"].items():
        assert Path(dag["file"]).name == f"{name}.py"


def test_airflow_folder_does_not_shadow_the_package():
    assert not list((ROOT / "airflow").rglob("__init__.py"))
    assert not list((ROOT / "airflow").rglob("dbt_*.py"))  # dbt would import them as plugins


def test_docstring_is_a_runbook(dag):
    for words in ("When a task is red", "By hand", "mercato ", "safe to run twice"):
        assert words in dag["doc"]
    assert dag["description"]


def test_schedule_never_surprises(dag):
    assert dag["catchup"] is False
    assert dag["max_active_runs"] == 1
    assert dag["tags"]


def test_every_task_says_who_how_often_and_how_long(dag):
    for task in dag["tasks"].values():
        assert task["owner"] not in ("", "airflow")  # Airflow's default is nobody in particular
        assert task["retries"] in range(1, 3)
        assert task["backoff"]
        assert task["timeout"]
        assert "mercato " in task["doc"]  # the same as a command
    assert dag["told"]


def test_reading_is_light(read):
    heavy = {"dbt", "psycopg", "psycopg2", "confluent_kafka", "mercato", "ingestion", "data_generator"}
    assert not heavy & set(read["imported"])


def test_what_all_dags_share_is_said_once():
    for path in (ROOT / "airflow" / "dags").glob("*.py"):
        said = path.read_text()
        assert "**HOUSE" in said
        for word in ("default_args", "retries", "owner", "catchup", "max_active_runs"):
            assert word not in said


def test_dbt_never_runs_twice_at_once(read):
    for name, dag in read["dags"].items():
        for task_id, task in dag["tasks"].items():
            runs_dbt = "--layer" in task["doc"] or "verify --" in task["doc"]
            assert (task["pool"] == "dbt") == runs_dbt, f"{name}.{task_id}"


@pytest.mark.parametrize("name", DAGS)
def test_tasks_and_their_order(read, name):
    tasks = read["dags"][name]["tasks"]
    assert {task_id: task["upstream"] for task_id, task in tasks.items()} == DAGS[name]


def test_transform_follows_raw_and_the_clock_and_publish_ends_the_chain(read):
    assert {name: (dag["assets"], dag["cron"]) for name, dag in read["dags"].items()} == {
        name: (assets, cron) for name, (assets, cron) in SCHEDULES.items()
    }
    outlets = {
        (name, task_id): task["outlets"]
        for name, dag in read["dags"].items()
        for task_id, task in dag["tasks"].items()
        if task["outlets"]
    }
    assert outlets == {
        ("ingest", "replay"): ["raw_events"], ("transform", "reports"): ["marts"],
        ("publish", "daily"): ["daily_reports"], ("publish", "exports"): ["exports"],
        ("publish", "report"): ["exports"],
    }  # fmt: skip


def test_a_warehouse_without_daily_tables_starts_one_publish_and_a_red_one_no_second(airflow_says):
    assert airflow_says(WATCH) == [3, 8]


def test_backfill_asks_by_a_form(read):
    assert read["dags"]["backfill"]["params"] == ["from", "to", "models"]
