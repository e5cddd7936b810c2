"""Environments on one server don't meet; a change is rehearsed in schemas of its own, which go."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg.errors import InsufficientPrivilege

from mercato import postgres as driver
from mercato.postgres import Connection
from mercato.services import endpoints, postgres
from mercato.settings import Settings, load

Run = Callable[..., subprocess.CompletedProcess[str]]
MERCATO = Path(sys.executable).with_name("mercato")


def test_an_environment_names_database_topic_and_group_and_what_is_set_goes_before(
    services: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERCATO_ENVIRONMENT", "staging")
    monkeypatch.setenv("MERCATO_KAFKA__GROUP", "mine")
    found = load()
    assert (found.warehouse.database, found.kafka.topic, found.kafka.group) == (
        "warehouse_staging", "events_staging", "mine",
    )  # fmt: skip


@pytest.fixture
def in_environment(services: Settings, servers: str):
    """Run the command in an environment of the tests' server and broker; its databases are dropped afterwards."""
    names = set()

    def run(environment: str, *words: str) -> dict:
        names.add(environment)
        local = postgres.endpoint(services)
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MERCATO_")},
            "MERCATO_ENVIRONMENT": environment, "MERCATO_SECRETS": str(services.home / "secrets"),
            "MERCATO_WAREHOUSE__HOST": local.host, "MERCATO_WAREHOUSE__PORT": str(local.port),
            "MERCATO_KAFKA__BOOTSTRAP_SERVERS": servers, "MERCATO_HOME": str(services.home / environment),
        }  # fmt: skip
        done = subprocess.run(
            [MERCATO, *words], env=env, capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout) if "--json" in words else {}

    yield run
    superuser = postgres.endpoint(services, database="postgres", user=postgres.SUPERUSER)
    with driver.connect(superuser, autocommit=True) as connection:
        for name in names:
            for database in (f"warehouse_{name}", f"airflow_{name}"):
                connection.execute(f"drop database if exists {database} with (force)")


def test_two_environments_on_one_server_and_one_broker_do_not_meet(in_environment, tmp_path: Path) -> None:
    held = {}
    for number, name in enumerate(("dev", "staging"), 1):
        in_environment(name, "migrate")
        in_environment(
            name, "generate", "--days", "1", "--seed", str(number), "--sessions-per-day", str(20 * number),
            "--truth", str(tmp_path / f"{name}.json"),
        )  # fmt: skip
    for name in ("dev", "staging"):
        held[name] = in_environment(name, "consume", "--until-empty", "--json")
    assert 0 < held["dev"]["loaded"] < held["staging"]["loaded"]
    in_environment("dev", "transform")
    in_environment("dev", "verify", "--truth", str(tmp_path / "dev.json"))
    in_environment("staging", "transform")
    in_environment("staging", "verify", "--truth", str(tmp_path / "staging.json"))
    in_environment("dev", "verify", "--truth", str(tmp_path / "dev.json"))


def test_a_rehearsal_leaves_nothing_and_changes_nothing(
    mercato: Run, warehouse: Connection, settings: Settings
) -> None:
    def state() -> list:
        return warehouse.execute(
            "select nspname::text from pg_namespace union all select model || version from ops.models order by 1"
        ).fetchall()

    def ok(*words: str) -> subprocess.CompletedProcess[str]:
        done = mercato(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    ok("rehearse", "--name", "first")  # on a warehouse that was never transformed
    ok("transform")
    before = state()
    found = json.loads(ok("rehearse", "--name", "change_42", "--json").stdout)
    assert found["models"] > 30
    assert found["tests"] > 100
    assert state() == before
    ok("rehearse", "--name", "kept", "--keep")
    with (
        driver.connect(endpoints.warehouse(settings, role=postgres.READER), autocommit=True) as reader,
        pytest.raises(InsufficientPrivilege),
    ):
        reader.execute("select * from ci_kept_reports.rpt_daily_sales")
    ok("rehearse", "--name", "kept", "--drop")
    assert state() == before
    assert mercato("rehearse", "--name", "Bad-Name").returncode == 2
