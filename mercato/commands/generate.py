"""`mercato generate`: simulate the shop into the stream, a file or a pipe, and write the truth beside it."""

import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import click
import msgspec

from data_generator import live as shop_now
from data_generator import publish, scenario, simulate, truth
from data_generator.config import DAY_MS, Config, midnight
from data_generator.files import COMPRESSIONS
from data_generator.truth_writer import folder_of
from mercato import settings as config
from mercato.commands.generate_checks import DAYS, LIVE_DAYS, check_pace, rates_of, span_of
from mercato.commands.generate_meter import Meter, shown
from mercato.errors import MercatoError, WrongUse
from mercato.kafka_admin import Admin
from mercato.services import endpoints

SESSIONS = 360
#: Records a second of --live.
LIVE_RATE = 10.0
#: Mean visits a day for each record a second of --live, at five events a visit: the stock is planned by it.
_CROWD = 17_000

_DATE = click.DateTime(["%Y-%m-%d"])
_PATH = click.Path(path_type=Path)
_GROUPS = {
    "The shop": ("days", "start", "end", "seed", "sessions_per_day", "faults", "scenario_path"),
    "The pace": ("workers", "rate", "speed", "live", "minutes"),
    "Where it goes": ("target", "out", "compress"),
    "The truth": ("truth_path", "detailed", "as_json"),
}


class _Grouped(click.Command):
    """A command whose help has its options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        named = {option.name: option.get_help_record(ctx) for option in self.get_params(ctx)}
        for heading, names in _GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([row for name in names if (row := named.pop(name))])
        with formatter.section("Other"):
            formatter.write_dl([row for row in named.values() if row])


@click.command(cls=_Grouped, short_help="Simulate a shop: events with faults, and the truth about them.")
@click.option("--days", type=int, help=f"Length of the history.  [default: {DAYS}]")
@click.option("--start", type=_DATE, help="First day of the history, UTC.  [default: --days before the end]")
@click.option("--end", type=_DATE, help="The day it ends before, UTC.  [default: today]")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--sessions-per-day", type=int, help=f"Visits of a mean day.  [default: {SESSIONS}]")
@click.option(
    "--faults",
    default="0.01",
    show_default=True,
    help="Share of the events hit, 0 to 0.5; or by kind: late=0.02,duplicate=0.01.",
)
@click.option("--scenario", "scenario_path", type=_PATH, help="A story on top: TOML with [[window]]s.")
@click.option(
    "--workers", type=int, default=1, show_default=True, help="Processes that simulate, 1 to 8; same bytes."
)
@click.option("--rate", type=float, help="Events a second, exactly.  [default: as fast as it can]")
@click.option("--speed", type=float, help="Time lapse: simulated seconds a second; 3600 is an hour a second.")
@click.option("--live", is_flag=True, help=f"Trade from now on, at --rate.  [default: {LIVE_RATE:g}]")
@click.option("--minutes", type=float, help="Length of --live.  [default: until stopped]")
@click.option(
    "--to",
    "target",
    type=click.Choice(["kafka", "files", "stdout"]),
    default="kafka",
    show_default=True,
    help="The topic, one NDJSON file, or a pipe.",
)
@click.option("--out", type=_PATH, help="Folder of --to files.  [default: events]")
@click.option("--compress", type=click.Choice(COMPRESSIONS), help="Compress the file.")
@click.option("--truth", "truth_path", type=_PATH, help="Write the truth to this file.")
@click.option("--truth-details", "detailed", is_flag=True, help="Its long part, too: t.json has it in t.d.")
@click.option("--json", "as_json", is_flag=True, help="Print the truth, without its lists, as JSON.")
def generate(
    days: int | None,
    start: datetime | None,
    end: datetime | None,
    seed: int,
    sessions_per_day: int | None,
    faults: str,
    scenario_path: Path | None,
    workers: int,
    rate: float | None,
    speed: float | None,
    live: bool,
    minutes: float | None,
    target: str,
    out: Path | None,
    compress: str | None,
    truth_path: Path | None,
    detailed: bool,
    as_json: bool,
) -> None:
    """Simulate a shop: events in the order of life, faults among them, and the truth about what was sent.

    \b
    Examples:
      mercato generate --days 30 --seed 7 --truth truth.json
      mercato generate --days 365 --seed 7 --workers 2 --to files --out events --compress zst
      mercato generate --days 1 --rate 500                a history, 500 events a second
      mercato generate --days 1 --speed 3600              a history, an hour a second
      mercato generate --live --rate 50 --minutes 10      the shop from now on
      mercato generate --days 1 --to stdout | head -3

    Ctrl-C ends early: what was sent is whole, the truth says what that is, and the exit code is 1
    (0 with --live, which has no other end).
    """
    now = datetime.now(UTC)
    story = scenario.read(scenario_path) if scenario_path else scenario.Scenario()
    check_pace(workers, rate, speed, live, minutes)
    if live:
        if days or start or end or workers > 1:
            raise WrongUse("--live trades from now on", "leave out --days, --start, --end and --workers")
        rate = rate or LIVE_RATE
        lasts = LIVE_DAYS if minutes is None else int(minutes / 1440) + 2
        days, last = lasts, midnight(now) + timedelta(days=lasts)
        if sessions_per_day is None:
            sessions_per_day = max(SESSIONS, int(rate * _CROWD))
    else:
        days, last = span_of(days, start, end, now)
    visits = SESSIONS if sessions_per_day is None else sessions_per_day
    wanted = Config(seed, last, days, visits, rates_of(faults), scenario=story)
    if as_json and target == "stdout":
        raise WrongUse("--json and --to stdout both write to stdout", "use --truth FILE instead of --json")
    if out is not None and target != "files":
        raise WrongUse("--out is the folder of --to files", "add --to files, or leave it out")
    if target == "files":
        out = out or Path("events")
    if compress and target != "files":
        raise WrongUse(
            f"--compress {compress} is for --to files",
            f"`… --to stdout | {_PROGRAM[compress]}` compresses a pipe",
        )
    if detailed and truth_path is None:
        raise WrongUse("--truth-details stands beside the truth", "add --truth FILE")
    if truth_path is not None:
        truth.check_writable(truth_path)
    details = folder_of(truth_path) if truth_path and detailed else None
    sink = _sink(target, out, compress)
    meter = Meter(rate, speed, wanted.days * DAY_MS / 1_000)
    paced = rate is not None or speed is not None
    with _stoppable() as stop, shown(meter, paced=paced, endless=live and minutes is None) as progress:
        if live:
            found = _trade(wanted, sink, rate or LIVE_RATE, minutes, progress, stop, details)
        else:
            found = simulate.run(
                wanted, sink, progress, stop, rate, speed=speed, workers=workers, details=details
            )
        stopped = stop()
    if truth_path is not None:
        found.write(truth_path)
    _say(found, wanted, target, out, compress, scenario_path, live)
    if as_json:
        summary = found.document()
        for name in [name for name, value in summary.items() if isinstance(value, list)]:
            del summary[name]
        click.echo(msgspec.json.format(msgspec.json.encode(summary), indent=2))
    if stopped and not (live and minutes is None):
        raise MercatoError(
            f"stopped early, after {found.sent} records",
            "none, if that was meant; else run the command again",
        )


#: What compresses a pipe.
_PROGRAM = {"gz": "gzip", "zst": "zstd"}


def _trade(
    wanted: Config,
    sink: simulate.Sink,
    rate: float,
    minutes: float | None,
    progress: Callable[[int, float], None] | None,
    stop: Callable[[], bool],
    details: Path | None,
) -> truth.Truth:
    """The shop from now on, until `stop` or for so many minutes from its first record."""
    begun: list[float] = []

    def share() -> float:
        if not begun:
            begun.append(time.monotonic())
        return 0.0 if minutes is None else (time.monotonic() - begun[0]) / (minutes * 60)

    def tell(sent: int, _: int) -> None:
        done = share()
        if progress:
            progress(sent, done)

    def over() -> bool:
        return stop() or (bool(begun) and share() >= 1)

    return shop_now.run(wanted, sink, rate, tell, over, details)


def _sink(target: str, out: Path | None, compress: str | None) -> simulate.Sink:
    if target == "stdout":
        return publish.StreamSink(sys.stdout.buffer)
    if out is not None:
        return publish.FileSink(out, compress)
    settings = config.load()
    servers = endpoints.kafka(settings)
    with Admin(servers) as admin:
        admin.ensure_topic(settings.kafka.topic, settings.kafka.partitions)
    return publish.KafkaSink(servers, settings.kafka.topic, linger_ms=settings.kafka.linger_ms)


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


def _say(
    found: truth.Truth,
    wanted: Config,
    target: str,
    out: Path | None,
    compress: str | None,
    story: Path | None,
    live: bool,
) -> None:
    """What was sent, and the command that makes it again, on stderr."""
    kinds = f"{found.loaded} good, {found.faults['duplicate']} sent again, {found.quarantined} broken"
    click.echo(f"{found.sent} records to {out or target}: {kinds}", err=True)
    if live:
        return
    again = f"mercato generate --days {wanted.days} --end {wanted.end:%Y-%m-%d} --seed {wanted.seed}"
    again += f" --sessions-per-day {wanted.sessions_per_day} --faults {_rates(wanted)} --to {target}"
    for name, value in (("scenario", story), ("out", out), ("compress", compress)):
        again += f" --{name} {shlex.quote(str(value))}" if value else ""
    click.echo(f"again: {again}", err=True)


def _rates(wanted: Config) -> str:
    """The shares of the faults as they are written on the command line."""
    if isinstance(wanted.faults, Mapping):
        return ",".join(f"{kind}={share}" for kind, share in wanted.faults.items())
    return str(wanted.faults)
