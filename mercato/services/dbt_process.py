"""One run of dbt, in a process of its own: started anew, or forked from one that has imported it and read the project
(`read`): a layer with nothing new takes 3 s of CPU instead of 6.

Guarantee: dbt holds the lock that it is given until it ends, so no other run starts beside it, whoever dies; it is
told to stop (SIGINT: it cancels its queries) when its caller dies, is stopped or times out.
"""

import contextlib
import ctypes
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

#: dbt's own door for programs, where it is imported.
_runner: Callable[..., Any] | None = None
#: The project as it was read, and what it was read from; and by which process.
_project: tuple[Any, Hashable] | None = None
_reader: int | None = None


def program() -> Path:
    """The dbt of this environment."""
    return Path(sys.executable).with_name("dbt")


def read(folder: Path, env: Mapping[str, str]) -> None:
    """Import dbt and read the project here, so that runs forked from here needn't: 3 s of CPU less each.

    As long as no file changes; then runs are started anew. A project with faults isn't kept: the run says them. In a
    fork of a process that has read it nothing is done.
    """
    global _project, _reader, _runner
    if _reader not in (None, os.getpid()):
        return
    _reader = os.getpid()
    _runner = import_module("dbt.cli.main").dbtRunner
    state, before = _state(folder, env), dict(os.environ)
    if _project and _project[1] == state:
        return
    os.environ.update(env)
    try:
        with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
            manifest = _runner().invoke(["--quiet", "parse"]).result
    finally:
        for name in env:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]
    if manifest:
        _translate(manifest)
    _project = (manifest, state) if manifest else None


def _translate(manifest: Any) -> None:
    """Translate the macros from Jinja into Python: a sixth of a layer's CPU. Which it calls, only a run knows."""
    cache = import_module("dbt_common.clients.jinja").template_cache
    for macro in manifest.macros.values():
        cache.get_node_template(macro)


def _state(folder: Path, env: Mapping[str, str]) -> Hashable:
    """What the project's meaning depends on: its files, and the settings in the environment."""
    own = (path for kind in ("*.sql", "*.yml") for path in folder.rglob(kind))
    return (
        frozenset(
            (path, path.stat().st_mtime_ns) for path in own if path.relative_to(folder).parts[0] != "target"
        ),
        frozenset(item for item in env.items() if item[0].startswith(("DBT_", "MERCATO_WAREHOUSE"))),
    )


def execute(
    words: list[str], folder: Path, env: Mapping[str, str], lock: int, on_line: Callable[[str], None]
) -> int:
    """Run dbt in `folder`; each line it prints goes to `on_line`. Returns its exit code, -9 if SIGKILL ended it."""
    read, write = os.pipe()
    # What is given by words, as variables, changes what the project means. A fork never parses: dbt's parser keeps
    # threads, which a fork hasn't, and waits for them for ever.
    fresh = _project is not None and "--vars" not in words and _project[1] == _state(folder, env)
    start = _fork if fresh else _start
    pid = start(words, folder, env, lock, write)
    os.close(write)
    try:
        with os.fdopen(read, errors="replace") as printed:
            for line in printed:
                on_line(line)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except BaseException:  # a time-out or Ctrl-C: nothing may go on building behind our back
        _end(pid)
        raise


def _start(words: list[str], folder: Path, env: Mapping[str, str], lock: int, write: int) -> int:
    parent = os.getpid()
    child = subprocess.Popen(
        [str(program()), *words],
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=write,
        pass_fds=[lock],
        preexec_fn=lambda: _die_with(parent),
    )
    child.returncode = 0  # we wait for it ourselves
    return child.pid


def _fork(words: list[str], folder: Path, env: Mapping[str, str], lock: int, write: int) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        _die_with(parent)
        _become(words, folder, env, lock, write)
    finally:
        os._exit(3)


def _become(words: list[str], folder: Path, env: Mapping[str, str], lock: int, write: int) -> NoReturn:
    """Be dbt: no handler, stream or open file of the parent's stays in use."""
    for caught in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(caught, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(write, 1)
    os.dup2(write, 2)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        # Replaced, not closed: the parent's objects would close the number again, when it is another file's.
        if number not in (1, 2, lock, nothing):
            os.dup2(nothing, number)
    sys.stdout = os.fdopen(os.dup(1), "w", buffering=1)
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    code = 2
    if _runner and _project:
        # The manifest is written already; dbt would write it again after each run, for half a second.
        done = _runner(_project[0]).invoke(["--no-write-json", *words])
        if results := done.result:
            results.write(str(Path(env["DBT_TARGET_PATH"]) / "run_results.json"))
        code = 0 if done.success else 2 if done.exception else 1
    sys.stdout.flush()
    os._exit(code)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGINT, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def _end(pid: int) -> None:
    """SIGINT; after ten seconds SIGKILL."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
            time.sleep(0.1)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
