"""Run one layer of the dbt project, by the dbt of this environment, in a process of its own (`dbt_process`).

Guarantee: what `dbt_results` calls failed is an error. Two runs of this checkout never overlap: the lock is
held by dbt's process too, so it outlives a killed caller.
Run alone: `mercato transform --layer staging`.
"""

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mercato import postgres
from mercato.errors import MercatoError, ServiceUnavailable
from mercato.services import dbt_process, endpoints
from mercato.services.dbt_results import ALL, Layer, judge, read_manifest
from mercato.settings import ROOT, Settings

LAYERS = ("staging", "intermediate", "marts", "reports", "daily")
PROJECT = ROOT / "dbt_project"
#: Seconds to wait for another run of this checkout to end.
LOCK_SECONDS = 900
#: The time that dbt puts before each line; who logs the lines has its own.
CLOCK = re.compile(r"^\d\d:\d\d:\d\d {0,2}")


def build(
    settings: Settings,
    layer: str,
    *,
    full_refresh: bool = False,
    project: Path = PROJECT,
    on_line: Callable[[str], None] = lambda _: None,
    prove: Callable[[], None] = lambda: None,
) -> Layer:
    """Build and test one layer; safe to run twice. Each line that dbt prints goes to `on_line`.

    `prove` is called when dbt's results are good, and before another run can start.

    Raises:
        LayerFailed: a model or test failed, or dbt's results don't prove that all is well.
        ServiceUnavailable: the warehouse is away, or went away: trying again can help.
        Interrupted: dbt was killed: trying again can help.
    """
    started = time.monotonic()
    target = settings.home / "dbt" / "target"
    command = ["build", *selection(layer), *(["--full-refresh"] if full_refresh else [])]
    with exclusive(settings) as lock:
        (target / "run_results.json").unlink(missing_ok=True)  # of an earlier run, it would prove nothing
        code, words = execute(command, project, environment(settings, project), lock, on_line)
        done = judge(layer, target, code, words, seconds=time.monotonic() - started)
        prove()
        return done


def prepare(settings: Settings) -> None:
    """Import dbt and read the project in this process: for who builds several layers."""
    dbt_process.read(PROJECT, environment(settings))
    with contextlib.suppress(OSError):  # a project with faults has none
        read_manifest(settings.home / "dbt" / "target")


#: Stands in front of the schemas of a second set of tables.
COPY_PREFIX = "full_refresh_"


def build_copy(
    settings: Settings, lock: int, *, on_line: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Build every model wholly, at the watermark that stands, in schemas of their own beside the real ones.

    Returns the names, `schema.name`, of the real tables; a copy's has COPY_PREFIX in front.

    Raises:
        MercatoError: a model failed.
    """
    target = settings.home / "dbt" / "target-copy"
    env = {**environment(settings), "DBT_TARGET_PATH": str(target)}
    # The daily layer is made anew each time: there is nothing to compare.
    words = _apart(COPY_PREFIX, "path:models/daily")
    code, last = execute(["run", *words], PROJECT, env, lock, on_line)
    if code:
        log = settings.home / "dbt" / "logs" / "dbt.log"
        raise MercatoError(f"the full refresh failed: {' '.join(last[-3:])}", f"dbt's log is {log}")
    nodes = read_manifest(target)["nodes"].values()
    return sorted(
        f"{node['schema'].removeprefix(COPY_PREFIX)}.{node['alias']}"
        for node in nodes
        if node["resource_type"] == "model" and node["config"]["materialized"] == "incremental"
        and node["name"] != "stg_load_watermark"
    )  # fmt: skip


def build_apart(
    settings: Settings, prefix: str, lock: int, *, on_line: Callable[[str], None] = lambda _: None
) -> Layer:
    """Build and test every model wholly, at the watermark that stands, in schemas that begin with `prefix`.

    Raises:
        LayerFailed: a model or test failed.
    """
    started, target = time.monotonic(), settings.home / "dbt" / "target-apart"
    (target / "run_results.json").unlink(missing_ok=True)
    env = {**environment(settings), "DBT_TARGET_PATH": str(target)}
    code, last = execute(["build", *_apart(prefix)], PROJECT, env, lock, on_line)
    return judge(ALL, target, code, last, seconds=time.monotonic() - started)


def _apart(prefix: str, *left_out: str) -> list[str]:
    """Words for all models but these, anew, at the watermark that stands, in schemas that begin with `prefix`."""
    variables = json.dumps({"schema_prefix": prefix})
    return ["--full-refresh", "--exclude", "stg_load_watermark", *left_out, "--vars", variables]


def build_watermark(settings: Settings, lock: int, on_line: Callable[[str], None] = lambda _: None) -> None:
    """Make the load watermark where no transform has yet.

    Raises:
        MercatoError: it can't be made.
    """
    env = {**environment(settings), "DBT_TARGET_PATH": str(settings.home / "dbt" / "target-apart")}
    code, last = execute(["run", "--select", "stg_load_watermark"], PROJECT, env, lock, on_line)
    if code:
        raise MercatoError(f"the load watermark can't be made: {' '.join(last[-3:])}", "`mercato doctor`")


def incremental_models(settings: Settings, layer: str | None = None) -> dict[str, dict[str, Any]]:
    """Name in the books (`schema.name`) to the node, of the models that keep books, as the last run left them.

    A node has `all_macros` too: the names of all that its query calls, also through others.
    """
    manifest = read_manifest(settings.home / "dbt" / "target")
    return {
        f"{node['schema']}.{node['alias']}": {**node, "all_macros": _macros(node, manifest["macros"])}
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["config"].get("incremental_strategy") == "dirty_keys"
        and node["config"]["materialized"] == "incremental"
        and (layer is None or node["original_file_path"].startswith(f"models/{layer}/"))
    }


def _macros(node: dict[str, Any], macros: dict[str, dict[str, Any]]) -> set[str]:
    found: set[str] = set()
    ahead = list(node["depends_on"]["macros"])
    while ahead:
        if (macro := ahead.pop()) not in found:
            found.add(macro)
            ahead += macros.get(macro, {}).get("depends_on", {}).get("macros", [])
    return {macro.rpartition(".")[2] for macro in found}


def selection(layer: str) -> list[str]:
    """The words that make `dbt build` run one layer, each test in exactly one (dbt_project/selectors.yml).

    No unit tests: they prove the project's rules on rows of their own, and nothing about these tables. Of what the
    warehouse has, dbt asks for the layer's schemas beforehand, and for others when it needs them.
    """
    return ["--selector", layer, "--exclude-resource-type", "unit_test", "--cache-selected-only"]


def environment(settings: Settings, project: Path = PROJECT) -> dict[str, str]:
    """The environment of dbt. Its target folder is our own: an analyst's `dbt build` isn't disturbed."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **inherited,
        **endpoints.dbt_environment(settings),
        "DBT_PROFILES_DIR": str(project),
        "DBT_TARGET_PATH": str(settings.home / "dbt" / "target"),
        "DBT_LOG_PATH": str(settings.home / "dbt" / "logs"),
        # With each statement in the log a run takes a tenth longer; what failed is in target/.
        "DBT_LOG_LEVEL_FILE": "info",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
        "DBT_USE_COLORS": "False",
        "DO_NOT_TRACK": "1",
    }


def execute(
    words: list[str], project: Path, env: dict[str, str], lock: int, on_line: Callable[[str], None]
) -> tuple[int, list[str]]:
    """Run dbt; returns its exit code and its last ten lines. `lock`: see `exclusive`."""
    last: list[str] = []

    def tell(printed: str) -> None:
        if line := CLOCK.sub("", printed).rstrip():
            on_line(line)
            last[:] = [*last[-9:], line]

    return dbt_process.execute(words, project, env, lock, tell), last


def catch_up(settings: Settings, lock: int, on_line: Callable[[str], None] = lambda _: None) -> None:
    """Let every incremental model take in what is below the standing load watermark; no tests. With `exclusive`.

    Raises:
        MercatoError: a model failed.
    """
    words = ["run", "--exclude", "stg_load_watermark", "path:models/daily"]
    code, last = execute(words, PROJECT, environment(settings), lock, on_line)
    if code:
        log = settings.home / "dbt" / "logs" / "dbt.log"
        raise MercatoError(f"the models can't catch up: {' '.join(last[-3:])}", f"dbt's log is {log}")


@contextlib.contextmanager
def exclusive(settings: Settings) -> Iterator[int]:
    """Alone among the runs of this checkout; yields the lock, which dbt's process holds too.

    Raises:
        ServiceUnavailable: the warehouse is away, or another run doesn't end.
    """
    postgres.connect(endpoints.warehouse(settings)).close()  # a clear word before dbt's
    path = settings.home / "dbt" / "lock"
    (path.parent / "target").mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServiceUnavailable(
                        f"another transform holds {path} since {LOCK_SECONDS} s",
                        "let it end, then run it again",
                    ) from None
                time.sleep(0.2)
        yield lock.fileno()
