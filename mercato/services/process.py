"""Processes and ports of local services: which are ours, which are free, how they end.

Guarantee: a process is taken for ours only if its command line names our files, so a recycled pid or
a zombie is never mistaken for a running service.
"""

import contextlib
import fcntl
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from mercato.errors import ServiceWontStart, WrongUse

DISK_NEEDED = 1_000_000_000  # bytes: a fresh cluster is 70 MB, its WAL may grow to 512 MB, a demo to 200 MB


def alive(pid: int | None, marker: str) -> psutil.Process | None:
    """Return the process if it runs (a zombie doesn't) and its command line contains `marker`."""
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE and marker in _command_line(pid):
            return process
    except psutil.Error:
        pass
    return None


def _command_line(pid: int) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(psutil.Process(pid).cmdline())
    return ""


def read_number(path: Path) -> int | None:
    """The number that a pid or port file begins with, or None where there is no such file or it is damaged."""
    try:
        return int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def spawn(command: list[str], *, log: Path, pid_file: Path, env: dict[str, str] | None = None) -> int:
    """Start a process that outlives us, its output appended to `log`; returns its pid."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=env,
            start_new_session=True,
            cwd=log.parent,
        )
    pid_file.write_text(f"{child.pid}\n")
    # The kernel says that the program began a moment before it shows the command line that `alive` looks for.
    wait_until(lambda: child.poll() is not None or bool(_command_line(child.pid)), seconds=10)
    return child.pid


def stop(process: psutil.Process, *, patience: float = 30) -> None:
    """SIGTERM, then SIGKILL after `patience` seconds."""
    with contextlib.suppress(psutil.Error):
        process.terminate()
        try:
            process.wait(patience)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(10)


def wait_until(ready: Callable[[], bool], *, seconds: float) -> bool:
    """Poll until ready, at most `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return True
        time.sleep(0.05)
    return False


def port_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(home: Path, service: str, wanted: int | None) -> int:
    """The port for a service that is about to start: the wanted one, else the one it had, else a free one.

    Raises:
        WrongUse: the wanted port is taken.
    """
    port = wanted or known_port(home, service)
    if port is None or not port_free(port):
        if wanted:
            raise WrongUse(
                f"port {wanted} for {service} is taken by another program",
                f"free it, or leave MERCATO_LOCAL__{service.upper()}_PORT unset and a free one is taken",
            )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
    # A file for each service, replaced as a whole: services start and are asked for at the same time.
    path = home / "ports" / service
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(f"{port}\n")
    draft.replace(path)
    return port


def known_port(home: Path, service: str) -> int | None:
    """The port a service was last given, or None if it never started here."""
    return read_number(home / "ports" / service)


@contextlib.contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Hold the checkout's lock: two `mercato up` at once run one after the other. Checks the disk first."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / "lock").open("w")
    except OSError as error:
        raise ServiceWontStart(
            f"{home} can't be written: {error.strerror}",
            "give it to your user, or set MERCATO_HOME to a folder of yours",
        ) from None
    free = shutil.disk_usage(home).free
    if free < DISK_NEEDED:
        raise ServiceWontStart(
            f"{free // 1_000_000} MB of disk are free at {home}, {DISK_NEEDED // 1_000_000} MB are needed",
            "free some, or set MERCATO_HOME to a folder on another disk",
        )
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
