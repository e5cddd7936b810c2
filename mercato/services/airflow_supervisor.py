"""The process that holds the local Airflow together: API server, scheduler, DAG processor and triggerer, as one.

Guarantee: one supervisor a home (a lock says so); all four run or none does, so a half-dead Airflow never
looks alive; when this process dies, even by kill -9, its children are told to stop by the kernel.
Run alone, with the environment that `mercato.services.airflow.environment` makes:
`python -m mercato.services.airflow_supervisor HOME/airflow PORT`.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

#: Seconds that components get to end by themselves before they are killed.
PATIENCE = 6
_PR_SET_PDEATHSIG = 1


def components(port: int) -> dict[str, list[str]]:
    """Name and command of each component. No log servers: the logs are files here."""
    airflow = str(Path(sys.executable).with_name("airflow"))
    return {
        "api-server": [airflow, "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        "scheduler": [airflow, "scheduler", "--skip-serve-logs"],
        "dag-processor": [airflow, "dag-processor"],
        "triggerer": [airflow, "triggerer", "--skip-serve-logs", "--capacity", "50"],
    }


def supervise(home: Path, port: int) -> int:
    """Run the components until SIGTERM or SIGINT (returns 0) or until one of them exits (returns 1)."""
    lock = (home / "supervisor.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say(f"another supervisor runs in {home}")
        return 1
    asked_to_stop = threading.Event()
    # Before the first child: a signal in between would leave orphans.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    running: dict[str, subprocess.Popen[bytes]] = {}
    code = 0
    try:
        for name, command in components(port).items():
            with (home / f"{name}.log").open("wb") as out:
                running[name] = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    cwd=home,
                    preexec_fn=_die_with(os.getpid()),
                )
            _say(f"{name} runs as process {running[name].pid}")
        while not asked_to_stop.wait(0.3) and not code:
            for name, child in running.items():
                if (ended := child.poll()) is not None:
                    _say(f"{name} exited with code {ended}; its log is {home / f'{name}.log'}")
                    code = 1
    finally:
        _stop(list(running.values()))
    return code


def session_members(leader: int) -> list[psutil.Process]:
    """Processes that a supervisor with this pid started, however deep; works after its death too."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if (
                process.pid != leader
                and os.getsid(process.pid) == leader
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
    return found


def _die_with(parent: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None)

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return in_child


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    deadline = time.monotonic() + PATIENCE
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, deadline - time.monotonic()))
    for process in session_members(os.getpid()):  # executor workers and running tasks too
        with contextlib.suppress(psutil.Error):
            process.kill()


def _say(words: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {words}", flush=True)


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1]), int(sys.argv[2])))
