"""Trigger a DAG over Airflow's REST API and wait for its end; red is an error with the task's own words.

Guarantee: `run_dag` returns only for a run that Airflow calls a success, whose tasks all are, or had nothing to do.
Run alone: `python -m mercato.services.airflow_api transform`, with Airflow up.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from mercato.errors import MercatoError, ServiceUnavailable
from mercato.services import airflow, process
from mercato.settings import Settings, load

#: Seconds between two looks at a run, two requests of 12 ms each: three looks a second took a twelfth of a laptop's
#: two cores from the run.
POLL_SECONDS = 1.0
#: Seconds that a new Airflow gets to read the DAG files; seen: under 2.
PARSE_SECONDS = 30
#: A task that skipped itself found nothing to do.
GREEN = ("success", "skipped")


class RunFailed(MercatoError):
    """A DAG run ended red."""


@dataclass(frozen=True)
class Task:
    """A task of a run. `state` is Airflow's word (success, failed, upstream_failed, …) or `waiting`."""

    name: str
    state: str
    seconds: float | None
    tries: int


@dataclass(frozen=True)
class Run:
    """A finished run, and how long it took from the trigger to its end; its page in the UI is `link`."""

    run_id: str
    state: str
    seconds: float
    tasks: tuple[Task, ...]
    link: str


class Api:
    """A session with the API: one token, got when it is made.

    Raises:
        ServiceUnavailable: Airflow doesn't run, or doesn't answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._address = airflow.url(settings)
        # Without the user's proxy: the server is on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._token = ""
        login = {"username": airflow.USER, "password": airflow.password(settings)}
        self._token = self._call("POST", "/auth/token", login)["access_token"]

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool, or give the one there is so many slots."""
        pool = {"name": name, "slots": slots, "description": description, "include_deferred": False}
        found = self._call("GET", f"/api/v2/pools?pool_name_pattern={quote(name)}&limit=100")["pools"]
        if not any(one["name"] == name for one in found):
            self._call("POST", "/api/v2/pools", pool)
        elif any(one["name"] == name and one["slots"] != slots for one in found):
            self._call("PATCH", f"/api/v2/pools/{quote(name)}", pool)

    def pause(self, dag_id: str, paused: bool) -> None:
        """Keep the DAG's runs from starting, also those that wait; or let them."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": paused})

    def known(self, dag_id: str) -> bool:
        """Whether the DAG's file was read."""
        found = self._call("GET", f"/api/v2/dags?dag_id_pattern={quote(dag_id)}&limit=100")["dags"]
        return any(one["dag_id"] == dag_id for one in found)

    def import_errors(self) -> list[str]:
        """Last lines of what went wrong when the DAG files were read."""
        found = self._call("GET", "/api/v2/importErrors")["import_errors"]
        return [f"{one['filename']}: {one['stack_trace'].strip().splitlines()[-1]}" for one in found]

    def trigger(self, dag_id: str, params: dict[str, Any] | None = None) -> str:
        """Start a run now, and return its id."""
        body = {"logical_date": None, "conf": params or {}}
        return str(self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def state(self, dag_id: str, run_id: str) -> str:
        """State of a run: queued, running, success or failed."""
        return str(self._call("GET", _run_path(dag_id, run_id))["state"])

    def ended(self, dag_id: str, run_id: str) -> datetime:
        """When a run that has ended did."""
        return datetime.fromisoformat(self._call("GET", _run_path(dag_id, run_id))["end_date"])

    def tasks(self, dag_id: str, run_id: str) -> tuple[Task, ...]:
        """Tasks of a run in the order of their start, then those that have not started."""
        found = self._call("GET", f"{_run_path(dag_id, run_id)}/taskInstances?limit=500")["task_instances"]
        found.sort(key=lambda one: (one["start_date"] is None, one["start_date"] or ""))
        return tuple(
            Task(one["task_id"], one["state"] or "waiting", one["duration"], one["try_number"])
            for one in found
        )

    def error(self, dag_id: str, run_id: str, task: Task) -> str:
        """What a failed task said: the message of the exception that ended it, else the end of its log."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{task.name}/logs/{task.tries}?full_content=true"
        lines = [line for line in self._call("GET", path)["content"] if isinstance(line, dict)]
        for line in reversed(lines):
            if line.get("error_detail"):
                return str(line["error_detail"][-1]["exc_value"])
        return "\n".join(str(line.get("event")) for line in lines[-3:])

    def link(self, dag_id: str, run_id: str) -> str:
        """The run's page in the UI."""
        return f"{self._address}/dags/{dag_id}/runs/{quote(run_id)}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310  the address is ours: http://127.0.0.1
            self._address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with self._opener.open(request, timeout=120) as reply:  # a busy laptop took more than 30
                return json.load(reply)
        except urllib.error.HTTPError as error:
            said = error.read(2000).decode(errors="replace")
            raise MercatoError(
                f"Airflow answers {error.code} to {method} {path}: {said}", f"look at {self._address}"
            ) from None
        except (OSError, ValueError) as error:
            raise ServiceUnavailable(
                f"Airflow at {self._address} doesn't answer: {error}", "`mercato up --airflow`"
            ) from None


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}"


def run_dag(
    settings: Settings,
    dag_id: str,
    on_progress: Callable[[tuple[Task, ...]], None] = lambda _: None,
    *,
    params: dict[str, Any] | None = None,
    timeout: float = 3600,
) -> Run:
    """Trigger a DAG and wait; `on_progress` gets its tasks at each look.

    Raises:
        ServiceUnavailable: Airflow isn't up.
        RunFailed: a task failed (its words are in the message), or `timeout` seconds were not enough.
    """
    api = Api(settings)
    started = time.monotonic()
    if not process.wait_until(lambda: api.known(dag_id), seconds=PARSE_SECONDS):
        errors = "; ".join(api.import_errors()) or "none of its files has it"
        raise RunFailed(f"Airflow has no DAG {dag_id}: {errors}", "correct the file in airflow/dags/")
    began = datetime.now(UTC)
    run_id = api.trigger(dag_id, params)
    link = api.link(dag_id, run_id)
    while (state := api.state(dag_id, run_id)) not in ("success", "failed"):
        if time.monotonic() - started > timeout:
            raise RunFailed(f"DAG {dag_id} is still {state} after {timeout:.0f} s", f"look at {link}")
        on_progress(api.tasks(dag_id, run_id))
        time.sleep(POLL_SECONDS)
    tasks = api.tasks(dag_id, run_id)
    on_progress(tasks)
    # "Green means green": Airflow judges a run by its last tasks alone.
    if state == "failed" or any(task.state not in GREEN for task in tasks):
        reds = [task for task in tasks if task.state == "failed"]
        # A task ends with an error of ours: what and cure, which are taken apart again here.
        said = [api.error(dag_id, run_id, task).partition("\n  cure: ") for task in reds]
        what = "; ".join(f"task {task.name}: {words[0]}" for task, words in zip(reds, said, strict=True))
        cure = "; ".join([*(words[2] for words in said if words[2]), f"look at {link}"])
        raise RunFailed(f"DAG {dag_id} failed: {what or 'no task says why'}", cure)
    seconds = (api.ended(dag_id, run_id) - began).total_seconds()
    return Run(run_id, state, seconds, tasks, link)


if __name__ == "__main__":
    ended = run_dag(load(), sys.argv[1])
    print(json.dumps(asdict(ended), indent=2))
