"""`mercato runs`: what Airflow ran, task by task and model by model; and what records it and tells of failures.

Guarantee: `ops.dag_runs` and `ops.task_runs` hold each run and task once, with its last state.
"""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingestion.sql import query
from mercato import settings as config
from mercato.errors import MercatoError
from mercato.postgres import Missing, connect
from mercato.services import alerts, endpoints
from mercato.settings import Settings

#: Seconds that the scheduler may wait for the warehouse to take a record.
PATIENCE = 3


def record(settings: Settings, *, run: dict[str, Any] | None = None, tasks: list[dict[str, Any]]) -> None:
    """Write a run (columns of ops.dag_runs) and tasks (of ops.task_runs), over what is there of them."""
    with connect(
        endpoints.warehouse(settings), autocommit=True, application="mercato runs", timeout=PATIENCE
    ) as connection:
        if run:
            connection.execute(query("record_dag_run"), run)
        for task in tasks:
            connection.execute(query("record_task_run"), task)


def alert(settings: Settings, dag_id: str, run_id: str) -> None:
    """Tell the addresses of the settings that a run failed: which tasks, and their own words."""
    if not alerts.wanted(settings.alerts):
        return
    try:
        with connect(endpoints.warehouse(settings), autocommit=True) as connection:
            errors = connection.execute(
                query("errors_of_run"), {"dag_id": dag_id, "run_id": run_id}
            ).fetchall()
        words = "\n".join(f"task {task}: {error}" for task, error in errors) or "no task says why"
    except (MercatoError, *Missing) as error:
        words = f"the warehouse can't be asked why: {error}"
    alerts.send(settings.alerts, f"mercato: DAG {dag_id} failed", f"{words}\nrun {run_id}")


@click.command(short_help="What Airflow ran, how long it took, and why it is red.")
@click.option("--dag", help="Of this DAG.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=10, show_default=True, help="So many, newest first."
)
@click.option("--run", "run_id", help="One run: its tasks, models and tests in the order of their start.")
@click.option("--json", "as_json", is_flag=True, help="Print them as one JSON object on stdout.")
def runs(dag: str | None, limit: int, run_id: str | None, as_json: bool) -> None:
    """Say what Airflow ran; with --run what happened in one run, model by model.

    \b
    Example:
      mercato runs --dag transform
    """
    settings = config.load()
    with connect(endpoints.warehouse(settings), autocommit=True) as connection:
        found = connection.execute(
            query("last_runs"), {"dag": dag, "limit": limit if run_id is None else 10_000}
        )
        names = [column.name for column in found.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        if run_id is None:
            _print("runs", rows, as_json)
            return
        one = next((row for row in rows if row["run_id"] == run_id), None)
        if one is None:
            raise MercatoError(f"there is no run {run_id}", "`mercato runs` lists the last ones")
        found = connection.execute(query("run_timeline"), {"dag_id": one["dag_id"], "run_id": run_id})
        names = [column.name for column in found.description or []]
        _print("timeline", [dict(zip(names, row, strict=True)) for row in found.fetchall()], as_json)


def _print(name: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({name: rows}, default=_plain))
        return
    console = Console(stderr=True, highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in rows[0] if rows else [f"no {name} yet"]:
        table.add_column(
            heading.replace("_", " "), justify="right" if heading in ("duration_s", "rows") else "left"
        )
    for row in rows:
        table.add_row(*(escape(_short(value)) for value in row.values()))
    console.print(table, width=None if console.is_terminal else 200)


def _short(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Decimal | float):
        return f"{value:.1f}"
    return "" if value is None else str(value).strip().splitlines()[0][:100]


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else float(value)  # type: ignore[arg-type]
