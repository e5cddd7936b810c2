"""`mercato load`: event files to Postgres, each line exactly once."""

import dataclasses
import json
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ingestion.files import EventFile, survey
from ingestion.load import Place
from ingestion.load import load as load_file
from ingestion.warehouse import Written
from mercato import settings as config
from mercato.services import endpoints
from mercato.services.postgres import LOADER


@click.command(short_help="Load files of events into Postgres, each line exactly once.")
@click.argument(
    "paths", nargs=-1, required=True, metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)  # fmt: skip
@click.option(
    "--as", "name", help="What the ledger calls all of these: file:NAME.  [default: each by its own name]"
)
@click.option("--json", "as_json", is_flag=True, help="Print what was loaded as one JSON object on stdout.")
def load(paths: tuple[Path, ...], name: str | None, as_json: bool) -> None:
    """Load files of events into Postgres: NDJSON, one event a line as the stream has it, plain or as .gz or .zst.

    Events go through the same door as those of the stream: a bad line is quarantined with its reason, an event that
    came by the stream or in another file is a duplicate. It may be killed at any time and started again: it goes on
    at its line. A file that was loaded before, also under another name or packing, adds nothing.

    \b
    Examples:
      mercato load exports/2026-*.ndjson.gz --as archive
      mercato generate --days 30 --to files --compress zst && mercato load events/events.ndjson.zst
    """
    settings = config.load()
    done, total = [], Written(0, 0, 0, 0)
    for path in paths:
        began = time.monotonic()
        file, at, loaded = _load(settings, path, name or path.name)
        seconds = round(time.monotonic() - began, 2)
        click.echo(f"load: {path}: {_words(file, at, loaded)} in {seconds} s", err=True)
        total += loaded
        done.append(
            {"path": str(path), "source": at.source, "source_uid": file.uid, "lines": file.lines,
             "from_line": at.line, **dataclasses.asdict(loaded), "seconds": seconds}
        )  # fmt: skip
    if as_json:
        json.dump({**dataclasses.asdict(total), "files": done}, sys.stdout)
        sys.stdout.write("\n")


def _load(settings: config.Settings, path: Path, name: str) -> tuple[EventFile, Place, Written]:
    loaded = Written(0, 0, 0, 0)
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("load"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console,
        disable=not console.is_terminal, transient=True,
    )  # fmt: skip
    task = bar.add_task("reading", total=None)

    def on_batch(written: Written) -> None:
        nonlocal loaded
        loaded += written
        bar.update(task, advance=written.received, description=str(loaded))

    with bar:
        file = survey(path)
        bar.update(task, total=file.lines)
        at = load_file(endpoints.warehouse(settings, role=LOADER), file, name, settings.ingestion, on_batch)
    return file, at, loaded


def _words(file: EventFile, at: Place, loaded: Written) -> str:
    if at.line == 1:
        return str(loaded)
    if at.line > file.lines:
        return f"loaded before, as {at.source}: nothing new"
    return f"went on at line {at.line:,} of {at.source}: {loaded}"
