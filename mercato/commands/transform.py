"""`mercato transform`: raw → staging → intermediate → marts → reports → daily, with the tests as gates."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from datetime import datetime

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingestion.sql import query
from mercato import settings as config
from mercato.postgres import Connection, Missing, connect
from mercato.services import dbt, endpoints, lineage
from mercato.services.dbt_results import Layer, LayerFailed

_CONSOLE = Console(stderr=True)


def build(
    settings: config.Settings,
    layer: str,
    *,
    full_refresh: bool = False,
    on_line: Callable[[str], None] = lambda _: None,
) -> Layer:
    """Build and test one layer, and believe it only if the books in the warehouse say the same.

    Raises:
        LayerFailed: dbt or a test failed, or a model that is said to be built has not taken in what it should.
        ServiceUnavailable, Interrupted: trying again can help.
    """
    address = endpoints.warehouse(settings)
    with connect(address, autocommit=True) as connection:
        (began,) = connection.execute("select clock_timestamp()").fetchone() or (None,)

    def prove() -> None:
        names = list(dbt.incremental_models(settings, layer))
        with connect(address, autocommit=True) as connection:
            behind = _behind(connection, names, layer == dbt.LAYERS[0], began)
        if behind:
            raise LayerFailed(
                f"layer {layer} failed: dbt says that all is well, but {', '.join(behind[:5])} did not take in what is "
                "below the load watermark",
                "look at ops.models and ops.model_reads: which dbt ran? Then run it again",
            )

    try:
        return dbt.build(settings, layer, full_refresh=full_refresh, on_line=on_line, prove=prove)
    finally:
        try:
            lineage.emit(settings.lineage, settings.home / "dbt" / "target", address)
        except OSError as error:  # the tables are what counts
            on_line(f"lineage was not sent: {error}")


def _behind(connection: Connection, names: list[str], first: bool, began: datetime | None) -> list[str]:
    """Those of the models that lag; in the first layer the load watermark too, if it didn't move since `began`."""
    try:
        rows = connection.execute(query("layer_behind"), {"models": names}).fetchall()
        if first:
            rows += connection.execute(query("watermark_before"), {"began": began}).fetchall()
    except Missing:
        return ["staging.stg_load_watermark"]
    return [name for (name,) in rows]


def run(settings: config.Settings, layers: tuple[str, ...], *, full_refresh: bool = False) -> Iterator[Layer]:
    """Build the layers one after the other; the first that fails ends it, so later ones stay as they are."""
    if len(layers) > 1:
        dbt.prepare(settings)
    for layer in layers:
        with _progress(layer) as status:
            yield build(settings, layer, full_refresh=full_refresh, on_line=status)


@click.command(
    short_help="Build and test the models, layer by layer.",
    epilog="Example: mercato transform --layer marts --full-refresh",
)
@click.option("--layer", type=click.Choice(dbt.LAYERS), help="Only this layer; without it, all in order.")
@click.option("--full-refresh", is_flag=True, help="Rebuild incremental models from all of raw.")
@click.option("--json", "as_json", is_flag=True, help="Print the layers as JSON on stdout.")
def transform(layer: str | None, full_refresh: bool, as_json: bool) -> None:
    """Build and test the models, layer by layer.

    A layer whose tests fail stops what comes after it: marts and reports keep their last good state, and
    the exit code is 1. The Airflow DAG `transform` does the same, a task a layer.
    """
    done: list[Layer] = []
    try:
        for result in run(config.load(), (layer,) if layer else dbt.LAYERS, full_refresh=full_refresh):
            done.append(result)
    finally:  # what was done before a failure is worth seeing too
        if done:
            _CONSOLE.print(_table(done))
        if as_json:
            click.echo(json.dumps({"layers": [one.as_dict() for one in done]}))


def _table(done: list[Layer]) -> Table:
    table = Table(box=None)
    table.add_column("layer")
    for heading in ("models", "tests", "warnings", "seconds"):
        table.add_column(heading, justify="right")
    for one in done:
        table.add_row(one.layer, str(one.models), str(one.tests), str(one.warnings), f"{one.seconds:.1f}")
    return table


@contextlib.contextmanager
def _progress(layer: str) -> Iterator[Callable[[str], None]]:
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with _CONSOLE.status(layer) as status:
        yield lambda line: status.update(f"{layer}  [dim]{escape(line[-90:])}[/dim]")
