"""Judge a dbt run by its results, not by its exit code. Pure: reads the two files that dbt wrote.

Guarantee: a layer passes only if dbt ended 0, left results, every result is good, and every model and
test that the manifest has in the layer is among them. A failure names model, test, failing rows and what
dbt says.
"""

import json
import re
import signal
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from mercato.errors import MercatoError, ServiceUnavailable

#: Statuses that let a run go on; a test of severity `warn` is meant to.
GOOD = {"success", "pass", "warn", "no-op"}
#: What the server or the network says when trying again can help.
GONE = re.compile(
    "could not connect|connection refused|connection .*(closed|reset|timed out)|server closed the connection"
    "|terminating connection|the database system is|deadlock detected|could not serialize",
    re.IGNORECASE,
)


#: In place of a layer: whatever the project has, but for the load watermark.
ALL = "all layers"


class Interrupted(MercatoError):
    """Somebody ended dbt: trying again can help."""


class LayerFailed(MercatoError):
    """The data or the project is wrong: trying again gives the same."""


@dataclass(frozen=True)
class Layer:
    """What a layer's run did."""

    layer: str
    models: int
    tests: int
    warnings: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "seconds": round(self.seconds, 2)}


def judge(layer: str, target: Path, code: int, words: list[str], *, seconds: float) -> Layer:
    """Compare what dbt said by its exit code with what its results say.

    Raises:
        LayerFailed, ServiceUnavailable, Interrupted: see `build`.
    """
    log = target.parent / "logs" / "dbt.log"
    if code < 0:
        raise Interrupted(
            f"layer {layer}: dbt was ended by {signal.Signals(-code).name} in the middle; each table is as it was "
            "before or after, later layers keep their last good state",
            "run it again, it goes on where it was; was it the kernel (`dmesg`), the machine has too little memory",
        )
    try:
        results = json.loads((target / "run_results.json").read_text("utf-8"))["results"]
    except (OSError, ValueError, KeyError):
        reason = " ".join(line.strip() for line in words[-4:]) or "it said nothing"
        _refuse(layer, f"dbt ended with code {code} and left no results: {reason}", log)
    bad = [result for result in results if result["status"] not in GOOD]
    nodes = _nodes(target) if bad or code == 0 else {}
    if bad:
        # What was skipped is the consequence of what failed: name the causes only, if there are any.
        causes = [result for result in bad if result["status"] != "skipped"] or bad
        told = "\n    ".join(describe(result, nodes) for result in causes[:5])
        more = f"\n    and {len(causes) - 5} more" if len(causes) > 5 else ""
        _refuse(layer, told + more, log)
    if code:
        _refuse(layer, f"dbt ended with code {code} though every result is good: {' '.join(words[-2:])}", log)
    done = {result["unique_id"] for result in results}
    due = {name for name, node in nodes.items() if _is_due(node, layer)}
    if not due:
        _refuse(layer, "the manifest has nothing in this layer, so nothing was built", log)
    if missing := sorted(str(nodes[name]["name"]) for name in due - done):
        _refuse(layer, f"dbt ended with code 0, but its results lack {', '.join(missing[:5])}", log)
    kinds = [result["unique_id"].partition(".")[0] for result in results]
    warnings = sum(result["status"] == "warn" for result in results)
    return Layer(
        layer, kinds.count("model"), sum(kind in ("test", "unit_test") for kind in kinds), warnings, seconds
    )


def describe(result: dict[str, Any], nodes: dict[str, Any]) -> str:
    """One failed result in a few short lines: what it is, of which model, how many rows, what dbt says."""
    name = str(result["unique_id"])
    node = nodes.get(name, {})
    kind, short = name.partition(".")[0], str(node.get("name") or name)
    message = " ".join(str(result.get("message") or "no message").split())
    message = message.partition(" > in macro ")[0][:600]  # dbt's stack of macros says nothing to a reader
    if kind not in ("test", "unit_test"):
        return f"{kind} {short}: {result['status']}\n      {message}"
    attached = (
        [node["attached_node"]] if node.get("attached_node") else node.get("depends_on", {}).get("nodes", [])
    )
    of = " and ".join(_relation(parent) for parent in attached) or "of an unknown model"
    lines = [f"{of}, {kind.replace('_', ' ')} {short}"]
    if count := result.get("failures"):
        kept = str(node.get("relation_name") or "").replace('"', "").partition(".")[2]
        lines.append(f"failing rows: {count}" + (f", kept in {kept}" if kept else ""))
    return "\n      ".join([*lines, message])


def _relation(unique_id: str) -> str:
    kind, _, *name = unique_id.split(".")  # model.mercato.stg_orders, source.mercato.raw.events
    return f"{kind} {'.'.join(name)}"


def _is_due(node: dict[str, Any], layer: str) -> bool:
    path = str(node.get("original_file_path", ""))
    ephemeral = node.get("config", {}).get("materialized") == "ephemeral"  # has no result of its own
    if layer == ALL:  # the watermark stands, and isn't built nor tested again
        of = [
            str(node["name"]),
            *(name.rpartition(".")[2] for name in node.get("depends_on", {}).get("nodes", [])),
        ]
        return "stg_load_watermark" not in of and not ephemeral
    if node.get("resource_type") == "unit_test":  # those are for who changes the project
        return False
    return path.startswith((f"models/{layer}/", f"tests/{layer}/")) and not ephemeral


def read_manifest(target: Path) -> dict[str, Any]:
    """The manifest that dbt wrote last; read once as long as it is the same, also by what is forked from here.

    Raises:
        OSError, ValueError: there is none, or it is damaged.
    """
    path = target / "manifest.json"
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read(path: Path, _modified: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _nodes(target: Path) -> dict[str, Any]:
    try:
        manifest = read_manifest(target)
    except (OSError, ValueError):
        return {}
    return {**manifest.get("nodes", {}), **manifest.get("unit_tests", {})}


def _refuse(layer: str, why: str, log: Path) -> NoReturn:
    what = f"layer {layer} failed; later layers keep their last good state\n    {why}"
    if GONE.search(why):
        raise ServiceUnavailable(what, "`mercato status` shows whether Postgres runs; then run it again")
    raise LayerFailed(
        what,
        "correct the model, then `mercato transform`, which builds it and what reads it anew; where rows were wrong "
        f"and the model is right, add --full-refresh; dbt's log is {log}",
    )
