"""The process that holds the local Airflow together: API server, scheduler, DAG processor and triggerer, as one.

Guarantee: one supervisor a home (a lock says so); all four run or none does, so a half-dead Airflow never
looks alive; when this process dies, even by kill -9, its children are told to stop by the kernel.
The four are forked from here, where Airflow is imported once: they share its memory, and the CPU of its start.
Run alone, with the environment that `mercato.services.airflow.environment` makes:
`python -m mercato.services.airflow_supervisor HOME/airflow PORT`.
"""

import contextlib
import ctypes
import fcntl
import gc
import os
import signal
import sys
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path

import psutil

#: Seconds that components get to end by themselves before they are killed.
PATIENCE = 6
_PR_SET_PDEATHSIG = 1
#: What the four import sooner or later, 200 MB. None of it starts a thread, which a fork would lose.
SHARED = (
    "airflow.__main__",
    "airflow.cli.commands.api_server_command",
    "airflow.cli.commands.dag_processor_command",
    "airflow.cli.commands.scheduler_command",
    "airflow.cli.commands.triggerer_command",
    "airflow.executors.local_executor",
    "airflow.api_fastapi.app",
    "airflow.api_fastapi.core_api.routes.public",
    "airflow.api_fastapi.core_api.routes.ui",
    "airflow.api_fastapi.execution_api.routes",
    "airflow.sdk.execution_time.task_runner",
)


def components(port: int) -> dict[str, list[str]]:
    """Name and command of each component. No log servers: the logs are files here."""
    return {
        "api-server": ["api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        "scheduler": ["scheduler", "--skip-serve-logs"],
        "dag-processor": ["dag-processor"],
        "triggerer": ["triggerer", "--skip-serve-logs", "--capacity", "50"],
    }


def supervise(home: Path, port: int) -> int:
    """Run the components until SIGTERM or SIGINT (returns 0) or until one of them exits (returns 1).

    Returns in each component, too, when it ends: with its exit code.
    """
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
    for module in SHARED:
        if asked_to_stop.is_set():  # they take seconds
            return 0
        import_module(module)
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, every page that they share
    running: dict[str, int] = {}
    for name, words in components(port).items():
        log = home / f"{name}.log"
        if not (child := _fork()):
            lock.close()
            return _become(words, log, home)
        running[name] = child
        _say(f"{name} runs as process {child}")
    code = 0
    try:
        while not asked_to_stop.wait(0.3) and not code:
            for name, child in list(running.items()):
                if (ended := _ended(child)) is not None:
                    del running[name]
                    _say(f"{name} exited with code {ended}; its log is {home / f'{name}.log'}")
                    code = 1
    finally:
        _stop(list(running.values()))
    return code


def _fork() -> int:
    """Like os.fork; the child is told to stop when we die."""
    parent = os.getpid()
    if child := os.fork():
        return child
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    return 0


def _become(words: list[str], log: Path, home: Path) -> int:
    """Be `airflow WORDS`, as its program would: what it prints goes to `log`. Returns its exit code."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
    os.chdir(home)
    sys.argv = [str(Path(sys.executable).with_name("airflow")), *words]
    import_module("setproctitle").setproctitle(" ".join(["airflow", *words]))  # it comes with Airflow
    try:
        import_module("airflow.__main__").main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _ended(child: int) -> int | None:
    """Its exit code, negative for a signal; None while it runs."""
    done, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


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


def _stop(children: list[int]) -> None:
    for child in children:
        os.kill(child, signal.SIGTERM)  # a zombie, if it ended: nobody waited for it
    deadline = time.monotonic() + PATIENCE
    while children and time.monotonic() < deadline:
        children = [child for child in children if _ended(child) is None]
        time.sleep(0.05)
    for process in session_members(os.getpid()):  # executor workers and running tasks too
        with contextlib.suppress(psutil.Error):
            process.kill()


def _say(words: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {words}", flush=True)


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1]), int(sys.argv[2])))
