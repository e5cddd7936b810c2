"""Each service of docker-compose.yml that is ours, run here as there: its command, its environment, its secrets and no
others, until its own health check says that it is ready. Addresses and folders are those of here."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mercato.postgres import Connection
from mercato.services import endpoints, postgres, stack
from mercato.services.secrets import fernet_key, secret
from mercato.settings import ROOT, Settings
from tests.events import event, raw
from tests.loads import send
from tests.repo.test_compose import interpolate

BIN = Path(sys.executable).parent


class Containers:
    """Runs services of the compose file as processes of this machine."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder, self.started = folder, dict[str, subprocess.Popen[bytes]]()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # What other tests' Airflow has encrypted in the same database, this one must be able to read.
        secret(settings.home, "airflow-fernet", make=fernet_key)
        all_secrets = folder / "secrets"
        shutil.copytree(settings.secrets or Path(), all_secrets)
        stack.prepare(folder)  # the rest, made from the server's passwords
        lines = [line for line in (folder / ".env").read_text().splitlines() if not line.startswith("#")]
        project = interpolate(yaml.safe_load((ROOT / "docker-compose.yml").read_text()), dict(
            line.split("=", 1) for line in lines
        ))  # fmt: skip
        self.services: dict[str, dict[str, Any]] = project["services"]
        server = settings.warehouse
        for name in ("airflow-database", "airflow-connections.json"):
            path = all_secrets / name
            path.write_text(path.read_text().replace("postgres:5432", f"{server.host}:{server.port}"))
        self._places = {
            "http://airflow-api:8080": f"http://127.0.0.1:{port}",
            "/var/lib/mercato": str(folder / "home"),
            "/tmp/passwords.json": str(folder / "passwords.json"),
            "/app/": f"{ROOT}/",
        }
        self._addresses = {
            "MERCATO_WAREHOUSE__HOST": str(server.host),
            "MERCATO_WAREHOUSE__PORT": str(server.port),
            "MERCATO_WAREHOUSE__DATABASE": server.database,
            "MERCATO_KAFKA__BOOTSTRAP_SERVERS": endpoints.kafka(settings),
            "MERCATO_KAFKA__TOPIC": settings.kafka.topic,
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__HOST": "127.0.0.1",
        }

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a service; its output goes to a file of its name."""
        service = self.services[name]
        command = [self._here(word, name) for word in service["command"]]
        with (self._folder / f"{name}.log").open("wb") as log:
            self.started[name] = subprocess.Popen(
                command,
                env=self._environment(name),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.started[name]

    def run(self, name: str) -> None:
        """Run a service that ends."""
        code = self.start(name).wait(300)
        assert code == 0, (self._folder / f"{name}.log").read_text()[-2_000:]

    def ready(self, name: str) -> bool:
        """What its health check says."""
        kind, *words = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        command = [self._here(word, name) for word in words]
        return (
            subprocess.run(command, env=self._environment(name), capture_output=True, check=False).returncode
            == 0
        )

    def wait(self, name: str) -> None:
        """Until it is ready."""
        while not self.ready(name):
            assert self.started[name].poll() is None, (self._folder / f"{name}.log").read_text()[-2_000:]
            time.sleep(0.5)

    def stop(self) -> None:
        for process in self.started.values():
            process.send_signal(signal.SIGTERM)
        for process in self.started.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()

    def _here(self, text: str, name: str) -> str:
        for there, here in {**self._places, "/run/secrets": str(self._secrets(name))}.items():
            text = text.replace(there, here)
        return text

    def _secrets(self, name: str) -> Path:
        """A folder that holds the secrets that the service lists, and no others."""
        folder = self._folder / f"secrets-of-{name}"
        if not folder.exists():
            folder.mkdir()
            for secret in self.services[name].get("secrets", []):
                shutil.copy(self._folder / "secrets" / secret, folder)
        return folder

    def _environment(self, name: str) -> dict[str, str]:
        told = {key: value for key, value in self.services[name]["environment"].items() if value is not None}
        return {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self._folder), "USER": "mercato",
            "MERCATO_HOME": str(self._folder / "home"), "AIRFLOW_HOME": str(self._folder / "home" / "airflow"),
            **{key: self._here(value, name) for key, value in told.items()},
            **{key: value for key, value in self._addresses.items() if key in told or key.startswith("MERCATO")},
        }  # fmt: skip


@pytest.fixture
def containers(settings: Settings, tmp_path: Path) -> Iterator[Containers]:
    made = Containers(settings, tmp_path)
    yield made
    made.stop()


def test_setup_then_a_consumer_that_has_one_secret_loads_what_comes(
    containers: Containers, settings: Settings, warehouse: Connection
) -> None:
    containers.run("setup")
    consumer = containers.start("consumer")
    containers.wait("consumer")
    send(settings, [raw(event()) for _ in range(5)])
    while warehouse.execute("select count(*) from raw.events").fetchone() != (5,):
        assert consumer.poll() is None
        time.sleep(0.1)
    consumer.send_signal(signal.SIGTERM)
    assert consumer.wait(30) == 0


def test_airflow_is_healthy_part_by_part(containers: Containers) -> None:
    containers.run("setup")
    containers.run("airflow-setup")
    parts = ["airflow-api", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"]
    for name in parts:
        containers.start(name)
    for name in parts:
        containers.wait(name)


def test_postgres_takes_what_its_command_says(services: Settings) -> None:
    """Each option by name: a server of this version, asked what it would be with them."""
    compose = interpolate(yaml.safe_load((ROOT / "docker-compose.yml").read_text()), dict.fromkeys(
        ("STACK_UID", "STACK_GID", "KAFKA_CLUSTER_ID"), "1"
    ))  # fmt: skip
    options = compose["services"]["postgres"]["command"][1:]
    data = postgres.folder(services) / "data"
    for option in options:
        name = option.removeprefix("--").partition("=")[0]
        command = [postgres.binaries() / "postgres", "-C", name, "-D", data, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, bool(done.stdout.strip())) == (0, True), done.stderr
