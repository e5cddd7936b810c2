"""`mercato transform`: raw → staging → intermediate → marts → reports → daily, with the tests as gates."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mercato import settings as config
from mercato.services import dbt
from mercato.services.dbt_results import Layer

_CONSOLE = Console(stderr=True)


def run(settings: config.Settings, layers: tuple[str, ...], *, full_refresh: bool = False) -> Iterator[Layer]:
    """Build the layers one after the other; the first that fails ends it, so later ones stay as they are."""
    for layer in layers:
        with _progress(layer) as status:
            yield dbt.build(settings, layer, full_refresh=full_refresh, on_line=status)


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
