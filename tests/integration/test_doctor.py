"""`mercato doctor` on purpose-made breakages: each cause is named, with its cure."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mercato.commands import doctor_stack
from mercato.kafka_admin import Admin
from mercato.postgres import Connection
from mercato.services import endpoints
from mercato.settings import Settings
from tests.loads import load, send

MERCATO = Path(sys.executable).with_name("mercato")
Diagnose = Callable[..., dict[str, dict[str, str]]]


@pytest.fixture
def diagnose(settings: Settings, environment: dict[str, str]) -> Diagnose:
    """Run the real command on a topic that is there; check to what it found."""
    with Admin(endpoints.kafka(settings)) as admin:
        admin.ensure_topic(settings.kafka.topic, settings.kafka.partitions)

    def run(*prefix: str, **more: str) -> dict[str, dict[str, str]]:
        done = subprocess.run(
            [*prefix, MERCATO, "doctor", "--json"], env={**environment, **more},
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        found = json.loads(done.stdout)
        assert done.returncode == (1 if any(one["cure"] for one in found) else 0), done.stderr
        return {one["check"]: one for one in found}

    return run


def test_a_stack_in_order_has_no_problem(diagnose: Diagnose) -> None:
    found = diagnose()
    assert {name: one["cure"] for name, one in found.items() if one["cure"] and name != "packages"} == {}
    assert {
        "python",
        "disk",
        "memory",
        "postgres",
        "clock",
        "partitions",
        "marts",
        "kafka",
        "consumer",
    } <= set(found)


def test_a_port_that_is_taken(diagnose: Diagnose) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = diagnose(MERCATO_LOCAL__AIRFLOW_PORT=str(port))["ports"]
    assert f"port {port} for airflow is taken by" in found["seen"]
    assert f"process {os.getpid()}" in found["seen"]
    assert "MERCATO_LOCAL__AIRFLOW_PORT" in found["cure"]


def test_a_wrong_password(diagnose: Diagnose, environment: dict[str, str], tmp_path: Path) -> None:
    shutil.copytree(environment["MERCATO_SECRETS"], tmp_path / "secrets")
    (tmp_path / "secrets" / "postgres-mercato").write_text("not-the-password")
    found = diagnose(MERCATO_SECRETS=str(tmp_path / "secrets"))["postgres"]
    assert "password authentication failed" in found["seen"]
    assert "not-the-password" not in str(found)
    assert "secret files" in found["cure"]


def test_a_full_disk(diagnose: Diagnose, tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk in a namespace of its own")
    small = tmp_path / "small"
    small.mkdir()
    mount = f'mount -t tmpfs -o size=20m none {small} && exec "$@"'
    found = diagnose("unshare", "-rm", "sh", "-c", mount, "sh", MERCATO_HOME=str(small))["disk"]
    assert found["seen"].startswith("0.0 GB free")
    assert "MERCATO_HOME" in found["cure"]


def test_an_old_schema_and_one_that_is_newer(diagnose: Diagnose, warehouse: Connection) -> None:
    warehouse.execute("insert into public.mercato_migrations (name, sha256) values ('9999_next.sql', 'x')")
    assert "newer version: 9999_next.sql" in diagnose()["postgres"]["seen"]
    warehouse.execute(
        "delete from public.mercato_migrations where name in ('9999_next.sql', '0008_roles.sql')"
    )
    found = diagnose()["postgres"]
    assert "0008_roles.sql not applied" in found["seen"]
    assert "mercato migrate" in found["cure"]


def test_a_clock_that_is_off(
    settings: Settings, warehouse: Connection, monkeypatch: pytest.MonkeyPatch, diagnose: Diagnose
) -> None:
    send(settings, [b"{"])
    load(settings)
    warehouse.execute("update ops.ledger set loaded_at = loaded_at + interval '10 minutes'")
    assert "s in the future" in diagnose()["clock"]["seen"]
    assert "time server" in diagnose()["clock"]["cure"]

    import time

    real = time.time
    monkeypatch.setattr(doctor_stack.time, "time", lambda: real() - 90)
    found = {one.check: one for one in doctor_stack.postgres_and_tables(settings)}["clock"]
    assert found.seen == "the server's clock is 90 s ahead of this machine's"
    assert found.cure


def test_a_missing_partition(diagnose: Diagnose, warehouse: Connection) -> None:
    (name,) = warehouse.execute(
        "select to_char(now() at time zone 'UTC', '\"events_\"YYYY_MM')"
    ).fetchone() or ("",)
    warehouse.execute(f"drop table raw.{name}")
    warehouse.execute(
        "insert into raw.events (message_id, type, timestamp, partition, position, batch_id)"
        " values ('x', 'page', now(), 0, 0, 0)"
    )
    found = diagnose()["partitions"]
    assert found["seen"] == f"none for {name[-7:].replace('_', '-')}; 1 events wait in raw.events_default"
    assert "mercato maintain --step partitions" in found["cure"]


def test_a_dead_consumer(diagnose: Diagnose, settings: Settings, warehouse: Connection) -> None:
    send(settings, [b"{"] * 3)
    found = diagnose()["consumer"]
    assert found["seen"] == "3 records wait, nothing was ever loaded, none is connected"
    assert "mercato consume" in found["cure"]
    load(settings)
    assert diagnose()["consumer"]["cure"] is None
    send(settings, [b"{"])
    warehouse.execute("update ops.ledger set loaded_at = loaded_at - interval '10 minutes'")
    warehouse.execute("update ops.positions set updated_at = updated_at - interval '10 minutes'")
    assert (
        diagnose()["consumer"]["seen"]
        == "1 records wait, nothing was loaded for 10 minutes, none is connected"
    )


def test_stale_marts(diagnose: Diagnose, settings: Settings, warehouse: Connection) -> None:
    from tests.events import event, raw

    send(settings, [raw(event())])
    load(settings)
    assert diagnose()["marts"]["cure"] is None
    warehouse.execute("update ops.ledger set loaded_at = now() - interval '2 hours'")
    found = diagnose()["marts"]
    assert found["seen"] == "stale: events loaded 120 minutes ago are not in the models"
    assert "mercato transform" in found["cure"]
    warehouse.execute(
        "create table staging.stg_load_watermark as select '9223372036854775807'::xid8 as load_xid"
    )
    assert diagnose()["marts"]["cure"] is None
