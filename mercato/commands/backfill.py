"""`mercato backfill`: compute the rows of a period again, in chosen models, and only these.

How: the keys of the period are written to ops.model_keys_due; the next run of each model computes their rows from
the models it reads, writes those that differ, and takes the keys out, in one transaction. What changed goes on to
the models that read it, as ever.

Guarantee: bounded, a row of another key isn't touched; safe to run twice; killed anywhere, the keys that are left
wait, and this command, or any `mercato transform`, goes on.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from ingestion.sql import query
from mercato import settings as config
from mercato.commands import transform
from mercato.errors import MercatoError, WrongUse
from mercato.postgres import Connection, connect, sql
from mercato.services import dbt, endpoints
from mercato.settings import Settings

DAY = click.DateTime(["%Y-%m-%d"])
#: A model's steps in time, by the type of its key.
STEPS = {"date": "1 day", "timestamp without time zone": "1 hour", "timestamp with time zone": "1 hour"}


@dataclass(frozen=True, slots=True)
class Marked:
    """Model to the number of its keys that are due, and the layers to build."""

    keys: dict[str, int]
    layers: tuple[str, ...]


@click.command(short_help="Compute the rows of a period again, and only these.")
@click.option("--from", "since", type=DAY, required=True, help="First day, UTC.")
@click.option("--to", "until", type=DAY, required=True, help="The day after the last one.")
@click.option("--models", help="Names with commas between; without it, all that can be computed by key.")
@click.option("--mark-only", is_flag=True, help="Only write down what is due: the next transform does it.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object on stdout.")
def backfill(since: datetime, until: datetime, models: str | None, mark_only: bool, as_json: bool) -> None:
    """Compute the rows of a period again, from what the models below have: after rows were changed by hand, lost, or
    made from something that was wrong then.

    It recomputes rows whose time is in the period, and rows that read something of the period. Where a model's code
    was wrong nothing of this is needed: a corrected model is built anew by itself. Staging and the models that merge
    what is last known (visitors, attributes, sessions' events) can't be computed by key: they need `mercato transform
    --full-refresh`.

    \b
    Example:
      mercato backfill --from 2026-10-01 --to 2026-11-01 --models fct_orders,fct_sales_daily
    """
    settings = config.load()
    chosen = [name.strip() for name in models.split(",") if name.strip()] if models else []
    marked = mark(settings, since, until, chosen)
    for name, count in marked.keys.items():
        click.echo(f"{name}: {count:,} keys are due", err=True)
    built = []
    if not mark_only:
        for layer in marked.layers:
            built.append(transform.build(settings, layer).as_dict())
            click.echo(f"{layer}: {built[-1]['models']} models, {built[-1]['tests']} tests", err=True)
    if as_json:
        click.echo(json.dumps({"keys": marked.keys, "layers": list(marked.layers), "built": built}))


def mark(settings: Settings, since: datetime, until: datetime, chosen: list[str]) -> Marked:
    """Write down the keys of the period that are due, in one transaction; twice is as good as once.

    Raises:
        WrongUse: a name is unknown or can't be computed by key, or the period is empty.
        MercatoError: the models were never built.
    """
    if since >= until:
        raise WrongUse(
            f"the period from {since:%Y-%m-%d} to {until:%Y-%m-%d} is empty", "--to is the day after"
        )
    try:
        nodes = dbt.incremental_models(settings)
    except OSError:
        raise MercatoError("the models were never built here", "`mercato transform`") from None
    able = {name: node for name, node in nodes.items() if _by_key(node)}
    due = [name for name in able if not chosen or name.partition(".")[2] in chosen]
    if unknown := sorted(set(chosen) - {name.partition(".")[2] for name in due}):
        raise WrongUse(
            f"{', '.join(unknown)} can't be computed by key",
            f"these can: {', '.join(sorted(name.partition('.')[2] for name in able))}",
        )
    with connect(endpoints.warehouse(settings), application="mercato backfill") as connection:
        connection.execute(query("lock_models"), {"models": due})
        columns = _columns(connection, nodes)
        for name in due:
            _mark_one(connection, name, nodes, columns, {"since": since, "until": until})
        keys: dict[str, int] = dict(connection.execute(query("keys_due"), {"models": due}).fetchall())
    layers = [layer for layer in dbt.LAYERS if any(_layer(able[name]) == layer for name in due)]
    first = dbt.LAYERS.index(layers[0]) if layers else len(dbt.LAYERS)
    return Marked(keys, dbt.LAYERS[first:])


def _by_key(node: dict[str, Any]) -> bool:
    """Whether rows follow from their key alone: new batches aren't added to what there is."""
    return "and_new" not in node["all_macros"] and not node["config"].get("append")


def _layer(node: dict[str, Any]) -> str:
    return str(node["original_file_path"]).split("/")[1]


def _columns(connection: Connection, nodes: dict[str, dict[str, Any]]) -> dict[str, tuple[str | None, str]]:
    """Table to its first column of a time, and the type of its key."""
    keys = [str(node["config"].get("key")) for node in nodes.values()]
    rows = connection.execute(query("period_columns"), {"models": list(nodes), "keys": keys}).fetchall()
    return {table: (time, kind) for table, time, kind in rows}


def _mark_one(
    connection: Connection,
    name: str,
    nodes: dict[str, dict[str, Any]],
    columns: dict[str, tuple[str | None, str]],
    period: dict[str, datetime],
) -> None:
    node = nodes[name]
    if name not in columns:
        raise MercatoError(f"{name} was never built", "`mercato transform`")
    words = {key: sql.Literal(value) for key, value in period.items()}
    key, (own_time, kind) = node["config"]["key"], columns[name]
    if step := STEPS.get(kind):
        connection.execute(
            sql.SQL(query("due_steps")).format(
                model=sql.Literal(name), type=sql.SQL(kind), step=sql.Literal(step), **words
            )
        )
        return
    # Its own rows of the period, and those that rows of the period above it would touch if they came today.
    sources = [(name, own_time, key)]
    for upstream, expression in _told_to(node, nodes):
        sources.append((upstream, columns[upstream][0], expression))
    for table, time, expression in sources:
        if time is not None:
            statement = sql.SQL(query("due_rows")).format(
                model=sql.Literal(name), table=sql.Identifier(*table.split(".")), time=sql.Identifier(time),
                key=sql.SQL(expression), **words,
            )  # fmt: skip
            connection.execute(statement)


def _told_to(node: dict[str, Any], nodes: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """The tables whose changes are this model's keys as they are, each with the expression of the key."""
    by_id = {one["unique_id"]: name for name, one in nodes.items()}
    asked = set(re.findall(r"changed\(\s*'(\w+)',\s*'(\w+)'", node["config"]["dirty_keys"]))
    found = []
    for unique_id in node["depends_on"]["nodes"]:
        if not (upstream := by_id.get(unique_id)):
            continue
        emitted = nodes[upstream]["config"].get("emits", {}).get(node["config"]["key"])
        if emitted and (nodes[upstream]["name"], node["config"]["key"]) in asked:
            found.append((upstream, emitted if isinstance(emitted, str) else emitted["key"]))
    return found
