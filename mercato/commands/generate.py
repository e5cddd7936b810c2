"""`mercato generate`: simulate the shop into the stream, a file or a pipe, and write the truth beside it."""

import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from data_generator import publish, simulate, truth
from data_generator.config import Config, midnight
from mercato import settings as config
from mercato.errors import MercatoError, WrongUse
from mercato.kafka_admin import Admin
from mercato.services import endpoints

DAYS = 30
_DATE = click.DateTime(["%Y-%m-%d"])


@click.command(short_help="Simulate a shop: events with faults, and the truth about them.")
@click.option("--days", type=int, help=f"Length of the history.  [default: {DAYS}]")
@click.option("--start", type=_DATE, help="First day of the history, UTC.  [default: --days before the end]")
@click.option("--end", type=_DATE, help="The day it ends before, UTC.  [default: today]")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--sessions-per-day", type=int, default=360, show_default=True, help="Visits of a mean day.")
@click.option(
    "--faults", type=float, default=0.01, show_default=True, help="Share of the events hit, 0 to 0.5."
)
@click.option("--rate", type=float, help="Events a second.  [default: as fast as it can]")
@click.option(
    "--to", "target", type=click.Choice(["kafka", "files", "stdout"]), default="kafka", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of --to files.")
@click.option("--truth", "truth_path", type=click.Path(path_type=Path), help="Write the truth to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the truth, without its days, as JSON.")
def generate(
    days: int | None,
    start: datetime | None,
    end: datetime | None,
    seed: int,
    sessions_per_day: int,
    faults: float,
    rate: float | None,
    target: str,
    out: Path | None,
    truth_path: Path | None,
    as_json: bool,
) -> None:
    """Simulate a shop: events in the order of life, faults among them, and the truth about what was sent.

    \b
    Examples:
      mercato generate --days 30 --seed 7 --truth truth.json
      mercato generate --days 1 --rate 500
      mercato generate --days 365 --seed 7 --to files --out events --truth truth.json
      mercato generate --days 1 --to stdout | head -3

    Ctrl-C ends early: what was sent is whole, the truth says what that is, and the exit code is 1.
    """
    now = datetime.now(UTC)
    days, last = _span(days, start, end, now)
    wanted = Config(seed, last, days, sessions_per_day, faults)
    if rate is not None and not rate > 0:
        raise WrongUse(f"--rate is {rate}", "ask for more than 0 events a second, or leave it out")
    if as_json and target == "stdout":
        raise WrongUse("--json and --to stdout both write to stdout", "use --truth FILE instead of --json")
    if (target == "files") != (out is not None):
        raise WrongUse("--to files and --out DIR go together", "give both, or neither")
    if truth_path is not None:
        truth.check_writable(truth_path)
    sink = _sink(target, out)
    with _stoppable() as stop, _progress() as progress:
        found = simulate.run(wanted, sink, progress, stop, rate)
        stopped = stop()
    if truth_path is not None:
        found.write(truth_path)
    _say(found, wanted, target, out)
    if as_json:
        summary = found.document()
        del summary["by_day"]
        click.echo(msgspec.json.format(msgspec.json.encode(summary), indent=2))
    if stopped:
        raise MercatoError(
            f"stopped early, after {found.sent} records",
            "none, if that was meant; else run the command again",
        )


def _span(
    days: int | None, start: datetime | None, end: datetime | None, now: datetime
) -> tuple[int, datetime]:
    """Length and end of the history, from whichever of the three options are given."""
    today = midnight(now)
    first = start.replace(tzinfo=UTC) if start else None
    last = end.replace(tzinfo=UTC) if end else None
    if first and last is None:
        try:
            last = first + timedelta(days=days) if days else today
        except OverflowError:
            raise WrongUse(f"--days is {days}", "ask for fewer days") from None
    last = last or today
    if last > today:
        raise WrongUse(
            f"the history ends on {last:%Y-%m-%d}, in the future", f"end it at {today:%Y-%m-%d} or before"
        )
    if first is None:
        return (DAYS if days is None else days), last
    span = (last - first).days
    if span < 1:
        raise WrongUse(
            f"the history starts on {first:%Y-%m-%d} and ends on {last:%Y-%m-%d}", "let it start earlier"
        )
    if days is not None and days != span:
        raise WrongUse(f"--start, --end and --days {days} contradict each other", "leave one of them out")
    return span, last


def _sink(target: str, out: Path | None) -> simulate.Sink:
    if target == "stdout":
        return publish.StreamSink(sys.stdout.buffer)
    if out is not None:
        return publish.FileSink(out)
    settings = config.load()
    servers = endpoints.kafka(settings)
    with Admin(servers) as admin:
        admin.ensure_topic(settings.kafka.topic, settings.kafka.partitions)
    return publish.KafkaSink(servers, settings.kafka.topic)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """The first SIGINT or SIGTERM asks for an early end; the second one kills as usual."""
    asked: list[int] = []
    names = (signal.SIGINT, signal.SIGTERM)
    before: dict[signal.Signals, Any] = {}

    def ask(number: int, _: FrameType | None) -> None:
        asked.append(number)
        for name in names:
            signal.signal(name, before[name])

    for name in names:
        before[name] = signal.signal(name, ask)
    try:
        yield lambda: bool(asked)
    finally:
        for name in names:
            signal.signal(name, before[name])


@contextmanager
def _progress() -> Iterator[Callable[[int, float], None] | None]:
    """A bar on stderr, only if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.fields[sent]:,} events"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0, sent=0)
        yield lambda sent, share: bar.update(task, completed=share, sent=sent)


def _say(found: truth.Truth, wanted: Config, target: str, out: Path | None) -> None:
    """What was sent, and the command that makes it again, on stderr."""
    kinds = f"{found.loaded} good, {found.faults['duplicate']} sent again, {found.quarantined} broken"
    click.echo(f"{found.sent} records to {out or target}: {kinds}", err=True)
    again = f"mercato generate --days {wanted.days} --end {wanted.end:%Y-%m-%d} --seed {wanted.seed}"
    again += f" --sessions-per-day {wanted.sessions_per_day} --faults {wanted.faults} --to {target}"
    click.echo(f"again: {again}{f' --out {shlex.quote(str(out))}' if out else ''}", err=True)
