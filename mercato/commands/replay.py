"""`mercato replay`: quarantined records through the door again, each once."""

import hashlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ingestion import decode
from ingestion.migrations import pending
from ingestion.reasons import REASONS
from ingestion.replay import DUPLICATE, LOADED, Outcome, Selection, sources
from ingestion.replay import replay as run
from ingestion.sql import query
from mercato import currencies, events, shapes
from mercato import settings as config
from mercato.errors import MercatoError, ServiceUnavailable, WrongUse
from mercato.postgres import Connection, Gone, connect
from mercato.services import endpoints
from mercato.settings import Ingestion


class Moment(click.ParamType[datetime]):
    """A time in ISO 8601, UTC where it doesn't say; a day is its midnight."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The time; a value that is none is wrong use."""
        try:
            found = datetime.fromisoformat(str(value))
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-11-27 or 2026-11-27T08:30Z", param, ctx)


@click.command(short_help="Load quarantined records that pass by now, each exactly once.")
@click.option(
    "--reason", "reasons", multiple=True, type=click.Choice(list(REASONS)), help="Of this reason; repeatable."
)
@click.option("--source", help="Of this source, such as kafka:events.")
@click.option("--since", type=Moment(), help="Quarantined at this time (UTC) or later.")
@click.option("--until", type=Moment(), help="Quarantined before this time (UTC).")
@click.option("--limit", type=click.IntRange(min=1), help="Look at so many records, oldest first.")
@click.option(
    "--if-changed",
    is_flag=True,
    help="Only if the contract, the decoder or a limit is another than last time.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would pass, what would not, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object on stdout.")
def replay(
    reasons: tuple[str, ...],
    source: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    if_changed: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send quarantined records through the same door again: after the contract got wider or a limit was raised.

    What passes is loaded, or counted as a duplicate if its id came in meanwhile; what doesn't stays, with the
    reason of today. It may be killed at any time and run again, also twice at once.

    \b
    Example:
      mercato replay --reason unknown_event --dry-run
    """
    settings = config.load()
    chosen = Selection(reasons, source, since, until, limit)
    console = Console(stderr=True, highlight=False)
    bar = Progress(
        TextColumn("replay"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console,
        disable=not console.is_terminal, transient=True,
    )  # fmt: skip
    task = bar.add_task("reading quarantine", total=None)
    began = time.monotonic()
    try:
        with connect(
            endpoints.warehouse(settings), autocommit=True, application="mercato replay"
        ) as connection:
            _check(connection, source)
            door = door_of(settings.ingestion)
            known = if_changed and connection.execute(query("door_is_known"), {"door": door}).fetchone() == (
                True,
            )
            if known:
                click.echo(
                    "replay: the door is the one that quarantine was tried by: nothing can pass", err=True
                )
                if as_json:
                    click.echo(json.dumps({**_summary(Outcome(), dry_run), "seconds": 0.0}))
                return
            with bar:
                outcome = run(
                    connection, chosen, settings.ingestion, dry_run=dry_run,
                    on_chunk=lambda so_far: bar.update(task, description=f"{so_far.tried:,} records"),
                )  # fmt: skip
            if not dry_run and chosen == Selection((), None, None, None, None):
                connection.execute(query("note_door"), {"door": door})
    except Gone as error:
        raise ServiceUnavailable(
            f"Postgres went away: {str(error).strip().splitlines()[0]}",
            "run it again: what it had finished stays so, the rest still waits",
        ) from None
    _print(console, outcome, dry_run)
    if as_json:
        click.echo(json.dumps({**_summary(outcome, dry_run), "seconds": round(time.monotonic() - began, 2)}))


def door_of(limits: Ingestion) -> str:
    """What decides whether a record passes: the code of the contract and the decoder, and the limits."""
    code = [Path(module.__file__ or "").read_bytes() for module in (events, shapes, currencies, decode)]
    return hashlib.sha256(b"".join([*code, str(limits.max_record_bytes).encode()])).hexdigest()


def _check(connection: Connection, source: str | None) -> None:
    if missing := pending(connection):
        raise MercatoError(f"the warehouse lacks {', '.join(missing)}", "`mercato up` applies it")
    if source is not None and source not in (there := sources(connection)):
        raise WrongUse(
            f"nothing was ever loaded from {source}",
            f"the sources are {', '.join(there)}" if there else "`mercato consume` loads the first",
        )


def _summary(outcome: Outcome, dry_run: bool) -> dict[str, object]:
    loaded, duplicate = outcome.now(LOADED), outcome.now(DUPLICATE)
    return {
        "dry_run": dry_run,
        "tried": outcome.tried,
        "loaded": loaded,
        "duplicate": duplicate,
        "quarantined": outcome.tried - loaded - duplicate,
        "by_reason": [
            {"was": was, "now": now, "records": count, "example": outcome.examples.get((was, now))}
            for (was, now), count in sorted(outcome.became.items())
        ],
    }


def _print(console: Console, outcome: Outcome, dry_run: bool) -> None:
    if outcome.became:
        table = Table(box=None, pad_edge=False)
        for heading in ("was", "would be" if dry_run else "is", "records", "for example"):
            table.add_column(heading, justify="right" if heading == "records" else "left")
        for (was, now), count in sorted(outcome.became.items()):
            colour = "green" if now in (LOADED, DUPLICATE) else "yellow"
            example = escape(outcome.examples.get((was, now), ""))
            table.add_row(was, f"[{colour}]{now}[/]", f"{count:,}", example)
        console.print(table, width=None if console.is_terminal else 160)
    loaded, duplicate = outcome.now(LOADED), outcome.now(DUPLICATE)
    stays = outcome.tried - loaded - duplicate
    words = (
        f"{outcome.tried:,} tried = {loaded:,} loaded + {duplicate:,} duplicate + {stays:,} still quarantined"
    )
    console.print(f"replay: {words}" + (" (dry run: nothing was written)" if dry_run else ""))
