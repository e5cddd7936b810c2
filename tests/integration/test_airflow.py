"""The real Airflow, driven over its REST API: green, red, private, and gone when it is killed."""

import contextlib
import json
import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from mercato.errors import ServiceUnavailable, ServiceWontStart, WrongUse
from mercato.services import airflow, airflow_api, process
from mercato.services.airflow_supervisor import session_members
from mercato.settings import Local


@pytest.fixture
def up(settings):
    airflow.start(settings)
    yield settings
    airflow.stop(settings)


def supervisor(settings) -> psutil.Process:
    return psutil.Process(process.read_number(airflow.folder(settings) / "pid"))


def test_a_run_is_green_then_red_at_the_gate_and_a_kill_leaves_nothing(up, warehouse):
    seen = []
    run = airflow_api.run_dag(up, "transform", seen.append)
    assert [(task.name, task.state) for task in run.tasks] == [
        (layer, "success") for layer in ("staging", "intermediate", "marts", "reports")
    ]
    assert {task.state for tasks in seen for task in tasks} > {"running", "success"}
    # The dbt project's own record knows the run.
    assert warehouse.execute(
        "select distinct dag_id, task_id from ops.dbt_results where dag_run_id = %s order by task_id",
        [run.run_id],
    ).fetchall() == [("transform", layer) for layer in ("intermediate", "marts", "reports", "staging")]

    marts = "select relname, oid from pg_class where relnamespace::regnamespace::text in ('marts', 'reports')"
    before = set(warehouse.execute(marts))
    warehouse.execute(  # came in by a side door: no ledger row knows it
        "insert into raw.events (message_id, type, event, timestamp, partition, position, batch_id)"
        " values ('x', 'track', 'Product Viewed', now(), 0, 0, 999)"
    )
    with pytest.raises(airflow_api.RunFailed) as failure:
        airflow_api.run_dag(up, "transform", seen.append)
    assert {task.name: (task.state, task.tries) for task in seen[-1]} == {
        "staging": ("failed", 1),  # data that is wrong isn't tried again
        "intermediate": ("upstream_failed", 0),
        "marts": ("upstream_failed", 0),
        "reports": ("upstream_failed", 0),
    }
    for words in ("task staging", "source raw.events", "test events_are_booked", "failing rows: 1"):
        assert words in failure.value.what
    assert set(warehouse.execute(marts)) == before

    nothing_leaks(up)
    shared = {}
    for member in (supervisor(up), *session_members(supervisor(up).pid)):
        with contextlib.suppress(psutil.NoSuchProcess):  # the executor's workers come and go
            shared[member.pid, " ".join(member.cmdline())[-60:]] = member.memory_full_info().pss
    assert len(shared) >= 5
    assert sum(shared.values()) < 1_000_000_000, shared

    leader = supervisor(up).pid
    os.kill(leader, signal.SIGKILL)
    assert process.wait_until(lambda: not session_members(leader), seconds=15)
    assert not airflow.running(up)


def nothing_leaks(settings) -> None:
    secrets = [path.read_text() for path in (settings.home / "secrets").iterdir()]
    home = airflow.folder(settings)
    assert home.stat().st_mode & 0o077 == 0
    members = [supervisor(settings), *session_members(supervisor(settings).pid)]
    assert len(members) >= 5
    said = [path.read_text(errors="replace") for path in home.rglob("*.log")]
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            said.append(" ".join(member.cmdline()))
            for listener in member.net_connections("tcp"):
                if listener.status == psutil.CONN_LISTEN:
                    assert listener.laddr.ip == "127.0.0.1"
    assert not [secret for secret in secrets for words in said if secret in words]


def test_a_component_that_exits_is_named_with_its_log(settings, monkeypatch):
    good = airflow.environment

    def broken(given):
        return {**good(given), "AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor"}

    monkeypatch.setattr(airflow, "environment", broken)
    with pytest.raises(ServiceWontStart) as failure:
        airflow.start(settings)
    assert "scheduler exited" in failure.value.what
    assert "NoSuchExecutor" in failure.value.what
    assert not airflow.running(settings)


def test_a_taken_port_is_named(settings):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(WrongUse, match=f"port {port} for airflow is taken"):
            airflow.start(settings.model_copy(update={"local": Local(airflow_port=port)}))


def test_another_airflow_that_takes_the_port_first_is_never_taken_for_ours(settings, monkeypatch):
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(
                json.dumps({name: {"status": "healthy"} for name in airflow.COMPONENTS}).encode()
            )

    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        taken = other.server_address[1]
        (settings.home / "ports" / "airflow").write_text(f"{taken}\n")
        looks = [True]  # at our look the port was free yet
        free = process.port_free
        monkeypatch.setattr(process, "port_free", lambda port: looks.pop() if looks else free(port))
        airflow.start(settings)
        try:
            assert set(airflow.health(settings).values()) == {"healthy"}
            assert process.known_port(settings.home, "airflow") != taken
        finally:
            airflow.stop(settings)
            other.shutdown()


def test_without_airflow_the_cure_is_said(settings, tmp_path: Path):
    nowhere = settings.model_copy(update={"home": tmp_path})
    with pytest.raises(ServiceUnavailable, match="mercato up --airflow"):
        airflow_api.run_dag(nowhere, "transform")
