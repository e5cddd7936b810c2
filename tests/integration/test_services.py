"""The local services survive what happens to them: kills, half-made data, taken ports, private folders."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mercato import postgres as driver
from mercato.errors import ServiceUnavailable, ServiceWontStart, WrongUse
from mercato.kafka_admin import Admin
from mercato.services import broker, postgres, process
from mercato.settings import ROOT, Local, Settings

MERCATO = str(Path(sys.executable).with_name("mercato"))


@pytest.fixture
def fresh(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of a home of its own, in which nothing was ever started."""
    home = ROOT / ".mercato" / f"test-{os.getpid()}-{request.node.name[-20:]}"
    yield Settings(home=home, _env_file=None)
    settings = Settings(home=home, _env_file=None)
    broker.stop(settings)
    postgres.stop(settings)
    shutil.rmtree(home, ignore_errors=True)


def start(settings: Settings) -> None:
    with process.exclusive(settings.home):
        postgres.start(settings)


def postmaster(settings: Settings) -> psutil.Process:
    pid = process.read_number(postgres.folder(settings) / "data" / "postmaster.pid")
    assert pid
    return psutil.Process(pid)


def put(settings: Settings) -> None:
    with driver.connect(postgres.endpoint(settings), autocommit=True) as connection:
        connection.execute("create table kept as select 42 as answer")


def get(settings: Settings) -> int:
    with driver.connect(postgres.endpoint(settings), autocommit=True) as connection:
        row = connection.execute("select answer from kept").fetchone()
        assert row
        return int(row[0])


def test_rows_survive_a_stop_and_a_kill_of_the_server(fresh: Settings) -> None:
    start(fresh)
    put(fresh)
    postgres.stop(fresh)
    assert not postgres.running(fresh)
    start(fresh)
    assert get(fresh) == 42
    postmaster(fresh).send_signal(signal.SIGKILL)
    start(fresh)  # at once: the dead server may still be a zombie, its lock file is there
    assert get(fresh) == 42


def test_a_second_start_leaves_the_running_server_alone(fresh: Settings) -> None:
    start(fresh)
    before = postmaster(fresh).pid
    start(fresh)
    assert postmaster(fresh).pid == before


def test_a_lock_file_of_another_process_does_not_stop_the_start(fresh: Settings) -> None:
    start(fresh)
    postgres.stop(fresh)
    lock = postgres.folder(fresh) / "data" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{lock.parent}\n0\n1\n\n127.0.0.1\n\n")  # our pid: alive, but no Postgres
    start(fresh)
    assert postmaster(fresh).name() == "postgres"


def test_a_half_made_data_directory_is_made_anew(fresh: Settings) -> None:
    draft = postgres.folder(fresh) / "data.new" / "base"
    draft.mkdir(parents=True)
    (draft / "rubbish").write_text("an interrupted initdb")
    start(fresh)
    put(fresh)
    assert get(fresh) == 42


def test_a_folder_that_is_no_data_directory_is_named_and_not_deleted(fresh: Settings) -> None:
    mine = postgres.folder(fresh) / "data" / "my-file"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(ServiceWontStart, match="no Postgres data directory"):
        start(fresh)
    assert mine.read_text() == "mine"


def test_a_wanted_port_that_is_taken_is_named_with_the_setting_to_change(fresh: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        wanting = fresh.model_copy(update={"local": Local(postgres_port=taken)})
        with pytest.raises(WrongUse, match=rf"port {taken} for postgres is taken") as caught:
            start(wanting)
    assert "MERCATO_LOCAL__POSTGRES_PORT" in caught.value.cure


def test_a_remembered_port_that_was_taken_meanwhile_is_replaced(fresh: Settings) -> None:
    start(fresh)
    put(fresh)
    postgres.stop(fresh)
    before = process.known_port(fresh.home, "postgres")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before))
        other.listen()
        start(fresh)
        assert process.known_port(fresh.home, "postgres") != before
        assert get(fresh) == 42


def test_nobody_gets_in_without_the_generated_password(services: Settings) -> None:
    from dataclasses import replace

    right = postgres.endpoint(services)
    driver.connect(right).close()
    for wrong in ("", "postgres", "mercato"):
        with pytest.raises(ServiceUnavailable):
            driver.connect(replace(right, password=wrong))


def test_secrets_can_be_read_by_their_owner_only_and_are_in_no_log(services: Settings) -> None:
    secrets = list((services.home / "secrets").iterdir())
    assert len(secrets) >= 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    logs = [path for path in services.home.rglob("*.log") if path.is_file()]
    assert logs
    for secret in secrets:
        for log in logs:
            assert secret.read_bytes() not in log.read_bytes(), f"{secret.name} is in {log}"


def test_the_server_listens_on_this_machine_only(services: Settings) -> None:
    ports = {process.known_port(services.home, name) for name in ("postgres", "kafka")}
    listening = {
        one.laddr.ip
        for one in psutil.net_connections("inet")
        if one.status == psutil.CONN_LISTEN and one.laddr.port in ports
    }
    assert listening == {"127.0.0.1"}


def test_the_broker_comes_back_after_a_kill(fresh: Settings) -> None:
    fresh.home.mkdir(parents=True, exist_ok=True)
    broker.start(fresh)
    pid = process.read_number(broker.folder(fresh) / "pid")
    assert pid
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while broker.running(fresh) and time.monotonic() < deadline:
        time.sleep(0.02)
    broker.start(fresh)
    with Admin(broker.bootstrap_servers(fresh)) as admin:
        assert admin.ensure_topic("t", 3).partitions == (0, 1, 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_as_root_a_home_that_others_can_not_enter_works_and_keeps_its_mode(fresh: Settings) -> None:
    fresh.home.mkdir(parents=True)
    fresh.home.chmod(0o700)
    start(fresh)
    put(fresh)
    assert stat.S_IMODE(fresh.home.stat().st_mode) == 0o700
    assert postmaster(fresh).uids().real != 0


def _python_for_everybody() -> str | None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (
        str(Path(sys.executable).resolve()),
        f"/usr/bin/python{version}",
        f"/usr/local/bin/python{version}",
    ):
        try:
            subprocess.run([python, "-c", ""], user=65534, group=65534, cwd="/", check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_can_start_it(tmp_path: Path) -> None:
    home = ROOT / ".mercato" / f"test-{os.getpid()}-user"
    home.mkdir(parents=True)
    os.chown(home, 65534, 65534)
    code = (
        "from pathlib import Path; from mercato.settings import Settings; from mercato.services import postgres;"
        f"s = Settings(home=Path({str(home)!r}), _env_file=None); postgres.start(s); print(postgres.running(s));"
        "postgres.stop(s)"
    )
    python = _python_for_everybody()
    if python is None:
        pytest.skip("no Python of this version here can be run by other users")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(home)}
    done = subprocess.run(
        [python, "-c", code], user=65534, group=65534, extra_groups=[], cwd="/", env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    shutil.rmtree(home)
    assert done.stdout == "True\n", done.stderr


def test_too_little_disk_is_said_before_anything_is_made(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 5_000_000, 5_000_000)
    )
    with pytest.raises(ServiceWontStart, match="5 MB of disk are free") as caught:
        start(fresh)
    assert "MERCATO_HOME" in caught.value.cure
    assert not postgres.folder(fresh).exists()


@pytest.mark.parametrize(
    ("words", "more", "code", "says"),
    [
        (["status"], {}, 1, "never started here"),
        (["consume"], {}, 1, "`mercato up`"),
        (["verify"], {}, 1, "`mercato up`"),
        (["verify", "--truth", "/nowhere.json"], {}, 2, "/nowhere.json can't be read"),
        (["up", "--frobnicate"], {}, 2, "No such option"),
        (["status"], {"MERCATO_KAFKA__TOPIK": "x"}, 2, "did you mean MERCATO_KAFKA__TOPIC?"),
        (["status"], {"MERCATO_WAREHOUSE__PORT": "no"}, 2, "MERCATO_WAREHOUSE__PORT is 'no'"),
        (["up"], {"MERCATO_WAREHOUSE__HOST": "127.0.0.1"}, 2, "set MERCATO_WAREHOUSE__PASSWORD"),
    ],
)
def test_wrong_use_is_answered_by_a_line_and_its_cure(
    fresh: Settings, words: list[str], more: dict[str, str], code: int, says: str
) -> None:
    environment = {**os.environ, "MERCATO_HOME": str(fresh.home), **more}
    done = subprocess.run([MERCATO, *words], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert says in done.stderr
    assert done.stdout == ""


def test_down_refuses_to_forget_records_that_are_not_loaded(fresh: Settings) -> None:
    from confluent_kafka import Producer

    environment = {**os.environ, "MERCATO_HOME": str(fresh.home)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([MERCATO, *words], env=environment, capture_output=True, text=True, check=False)

    assert run("up").returncode == 0
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers(fresh)})
    producer.produce("events", b"{}")
    assert producer.flush(10) == 0
    refused = run("down")
    assert refused.returncode == 1
    assert "1 records are only in the local broker's memory" in refused.stderr
    assert json.loads(run("status", "--json").stdout)["kafka"]["state"] == "up"
    assert run("consume", "--until-empty").returncode == 0
    assert run("down").returncode == 0
    assert not broker.running(fresh)
    assert not postgres.running(fresh)
