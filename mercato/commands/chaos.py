"""`mercato chaos`: kill anything at any commit boundary, and prove that nothing was lost or doubled."""

import dataclasses
import json
import signal
import time
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mercato import settings as config
from mercato.chaos.conductor import Conductor, Outcome
from mercato.chaos.plan import KINDS, Kill, draw
from mercato.chaos.stage import Stage
from mercato.errors import WrongUse

COLUMNS = ("sent", "loaded", "duplicate", "quarantined", "in_flight", "lost", "twice", "residual")
MOST_DIFFERENCES = 20
MOST_KILLS = 100_000
MOST_RATE = 10_000


@click.command(short_help="Kill anything, at any commit boundary; prove that nothing is lost.")
@click.option("--kills", type=int, default=50, show_default=True, help="How many.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed plans the same kills.")
@click.option("--rate", type=float, default=200, show_default=True, help="Events a second meanwhile.")
@click.option("--plan", "only_plan", is_flag=True, help="Print the plan, a kill a line, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object on stdout.")
@click.option(
    "--sabotage", type=click.Path(exists=True, dir_okay=False, path_type=Path), hidden=True,
    help="A Python file run in each worker first: breaks the product, to see that it is caught.",
)  # fmt: skip
def chaos(kills: int, seed: int, rate: float, only_plan: bool, as_json: bool, sabotage: Path | None) -> None:
    """Kill workers, sessions and the Postgres server, at chosen boundaries of the transactions and at random, while
    a shop trades with faults; then say whether each record sent is there exactly once. Exit code 1 if not.

    Workers are struck before, in and after each statement, COPY and COMMIT; stopped and woken as zombies; in a
    consumer group and outside. The same seed gives the same plan of kills; their timing is the machine's.

    All is played on a Postgres and a broker of its own below .mercato/chaos; your warehouse is not touched. The
    local broker keeps records in memory only and would lose them if killed, so it is stopped for seconds and woken.
    A broker of yours (MERCATO_KAFKA__BOOTSTRAP_SERVERS) is used with a topic of its own, and left alone otherwise.

    \b
    Example:
      mercato chaos --kills 200 --seed 1
    """
    if not 1 <= kills <= MOST_KILLS:
        raise WrongUse(f"--kills is {kills}", f"ask for 1 to {MOST_KILLS:,}")
    if not 1 <= rate <= MOST_RATE:
        raise WrongUse(f"--rate is {rate:g}", f"ask for 1 to {MOST_RATE:,} events a second")
    settings = config.load()
    plan = draw(kills, seed, broker=settings.kafka.bootstrap_servers is None)
    if only_plan:
        for kill in plan:
            click.echo(json.dumps(dataclasses.asdict(kill)))
        return
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _interrupt)
    console = Console(stderr=True, highlight=False)
    began = time.monotonic()
    outcome, kept = _play(settings, plan, seed, rate, sabotage, console)
    seconds = round(time.monotonic() - began, 1)
    verdict = outcome.verdict
    _show(console, outcome, seed, seconds)
    if as_json:
        counts = {name: getattr(verdict, name) for name in COLUMNS}
        found = {
            "ok": not verdict.differences, "seed": seed, "kills": sum(outcome.kills.values()),
            "kills_by_kind": dict(sorted(outcome.kills.items())), "missed": outcome.missed, **counts,
            "fenced": outcome.fenced, "waited": outcome.waited, "seconds": seconds,
            "differences": verdict.differences,
        }  # fmt: skip
        click.echo(json.dumps(found))
    if verdict.differences:
        console.print(f"its logs and data are in {kept}", soft_wrap=True)
        raise SystemExit(1)


def _interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
    """End the run, once: what is cleaned up then is not to be interrupted."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    raise KeyboardInterrupt


def _play(
    settings: config.Settings,
    plan: list[Kill],
    seed: int,
    rate: float,
    sabotage: Path | None,
    console: Console,
) -> tuple[Outcome, Path]:
    """The run on its stage; the stage's files stay where a difference was found."""
    bar = Progress(
        TextColumn("chaos"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        console=console, disable=not console.is_terminal, transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task("starting Postgres, the broker and the shop", total=len(plan))
        with Stage(settings, seed, rate) as stage:
            conductor = Conductor(
                stage, lambda kill: bar.update(task, advance=1, description=kill.kind), sabotage
            )
            outcome = conductor.run(plan)
    if not outcome.verdict.differences:
        stage.delete()
    return outcome, stage.home


def _show(console: Console, outcome: Outcome, seed: int, seconds: float) -> None:
    verdict = outcome.verdict
    done = Table(title=f"{sum(outcome.kills.values()):,} kills, seed {seed}", title_justify="left", box=None)
    done.add_column("kills", justify="right")
    done.add_column("of")
    done.add_column("what was done")
    for kind, (words, _) in KINDS.items():
        if outcome.kills[kind]:
            done.add_row(f"{outcome.kills[kind]:,}", kind, words)
    wide = None if console.is_terminal else 160
    console.print(done, width=wide)
    books = Table(title="\nEvery record, accounted for", title_justify="left", box=None)
    for name in COLUMNS:
        books.add_column(name.replace("_", " "), justify="right")
    books.add_row(*(f"{getattr(verdict, name):,}" for name in COLUMNS))
    console.print(books, width=wide)
    missed = f", {outcome.missed:,} kills missed their boundary" if outcome.missed else ""
    console.print(
        f"\nworkers were fenced {outcome.fenced:,} times, waited for a service {outcome.waited:,} times{missed}; "
        f"{seconds} s",
        soft_wrap=True,
    )
    for line in verdict.differences[:MOST_DIFFERENCES]:
        console.print(f"[red]≠[/] {line}", soft_wrap=True)
    console.print(
        "[red]the invariants are broken[/]" if verdict.differences else "[green]the invariants hold[/]"
    )
