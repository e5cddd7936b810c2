"""`mercato demo`: the main job, end to end, through the real parts, and the proof of its numbers."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console

from data_generator import publish, simulate
from data_generator.config import Config, midnight
from ingestion import disk
from ingestion.consume import Consumer
from ingestion.migrations import drop_all, migrate
from ingestion.sql import query
from ingestion.warehouse import Written
from mercato import settings as config
from mercato.commands.report import period as report_period
from mercato.commands.report import write as write_report
from mercato.commands.services import start_services
from mercato.commands.verify import Verdict, examine, print_verdict
from mercato.errors import MercatoError
from mercato.kafka_admin import Admin
from mercato.postgres import connect
from mercato.services import airflow, airflow_api, dbt, endpoints
from mercato.services.airflow_api import Task
from mercato.settings import Settings

#: A topic of its own, so that the demo's events are known by their source.
TOPIC = "mercato-demo"


@dataclass(slots=True)
class Steps:
    """Shows the step at work on a terminal, prints each finished one with its time."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time one step; call what this yields with what it does just now."""
        began, last = time.monotonic(), [""]
        with self.console.status(name) if self.console.is_terminal else contextlib.nullcontext() as status:

            def tell(words: str) -> None:
                last[0] = words
                if status:
                    status.update(f"{name}  [dim]{words}[/dim]")

            yield tell
        self.seconds[name] = round(time.monotonic() - began, 2)
        self.console.print(f"[green]✓[/] {name:<20} {self.seconds[name]:5.1f} s  {last[0]}", soft_wrap=True)


@click.command(short_help="The main job, end to end, and the proof of its numbers.")
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="Days of trade.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed gives the same shop.")
@click.option("--faults", type=float, default=0.01, show_default=True, help="Share of the events hit.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print figures and verdict as one JSON object on stdout."
)
def demo(days: int, seed: int, faults: float, as_json: bool) -> None:
    """Run the main job, end to end: a simulated shop with faults in its events → Kafka → Postgres → dbt, run by
    Airflow → the proof that every number equals the truth the shop wrote.

    Starts the local services and leaves them up to look at. Run again it starts anew; it refuses to do so in a
    warehouse that holds other data than its own.

    \b
    Example:
      mercato demo --days 7
    """
    settings = config.load()
    settings = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"topic": TOPIC})})
    console = Console(stderr=True, highlight=False)
    steps = Steps(console)
    began = time.monotonic()
    shop = Config(seed=seed, end=midnight(datetime.now(UTC)), days=days, faults=faults)
    with steps.step("services") as tell:
        tell("Postgres and the Kafka-protocol broker, from PyPI packages")
        start_services(settings)
        with dbt.exclusive(settings):  # an Airflow that is still up follows raw by itself
            _start_anew(settings)
    with ThreadPoolExecutor(
        1
    ) as background:  # Airflow needs ten seconds to come up: meanwhile the shop trades
        airflow_up = background.submit(airflow.start, settings)
        truth = _trade(settings, shop, steps)
        _load(settings, steps)
        with steps.step("Airflow up") as tell:
            airflow_up.result()
            tell(airflow.url(settings))
    _transform(settings, steps)
    with steps.step("verify") as tell:
        verdict = examine(settings, truth)
        tell("ledger, facts and reports beside the truth")
    with steps.step("report") as tell:
        page = settings.home / "demo" / "report.html"
        write_report(settings, *report_period(None, None), "en", None, page, None)
        tell(str(page))
    console.print()
    print_verdict(verdict)
    seconds = round(time.monotonic() - began, 1)
    _say_what_next(settings, console, seconds)
    if as_json:
        click.echo(json.dumps({**_summary(verdict, truth, steps, seconds), "report": str(page)}, default=str))
    if verdict.differences:
        raise SystemExit(1)


def _start_anew(settings: Settings) -> None:
    """Empty the warehouse and the topic if all they hold is a former demo's."""
    with connect(endpoints.warehouse(settings), autocommit=True) as connection:
        sources = connection.execute(query("ledger_sources")).fetchall()
        others = [source for (source,) in sources if source != f"kafka:{TOPIC}"]
        if others:
            raise MercatoError(
                f"the warehouse holds data of {', '.join(others)}, which the demo would mix with its own",
                "run it in another checkout; or, if the data is of no use, `mercato down --delete-data` first",
            )
        drop_all(connection)
        migrate(connection)
        disk.measure(connection, settings.home)
    with Admin(endpoints.kafka(settings)) as admin:
        admin.delete_topic(TOPIC)
        admin.ensure_topic(TOPIC, settings.kafka.partitions)


def _trade(settings: Settings, shop: Config, steps: Steps) -> dict[str, Any]:
    """Simulate the shop into the stream; returns the truth, written to the demo's folder too."""
    with steps.step("shop → Kafka") as tell:
        sink = publish.KafkaSink(endpoints.kafka(settings), TOPIC)
        truth = simulate.run(shop, sink, lambda sent, share: tell(f"{sent:,} events, {share:.0%}"))
        folder = settings.home / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        truth.write(folder / "truth.json")
        hit = sum(truth.faults.values())
        tell(
            f"{truth.sent:,} events of {shop.days} days, {hit:,} of them hit by {len(truth.faults)} kinds of faults"
        )
    return truth.document()


def _load(settings: Settings, steps: Steps) -> None:
    loaded = Written(0, 0, 0, 0)
    with steps.step("Kafka → Postgres") as tell:

        def on_batch(batch: Written) -> None:
            nonlocal loaded
            loaded += batch
            tell(str(loaded))

        Consumer(
            settings,
            endpoints.warehouse(settings),
            endpoints.kafka(settings),
            until_empty=True,
            on_batch=on_batch,
            on_trouble=tell,
        ).run()


def _transform(settings: Settings, steps: Steps) -> None:
    with steps.step("Airflow: transform") as tell:

        def on_progress(tasks: tuple[Task, ...]) -> None:
            tell(" → ".join(f"{task.name} {task.state}" for task in tasks))

        run = airflow_api.run_dag(settings, "transform", on_progress)
        tell(", ".join(f"{task.name} {task.seconds or 0:.1f} s" for task in run.tasks))
    with steps.step("Airflow: publish") as tell:
        run = airflow_api.run_dag(settings, "publish", on_progress)
        tell(", ".join(f"{task.name} {task.seconds or 0:.1f} s" for task in run.tasks))


def _summary(verdict: Verdict, truth: dict[str, Any], steps: Steps, seconds: float) -> dict[str, Any]:
    return {
        **verdict.as_dict(),
        "faults": truth["faults"],
        "truth_totals": truth["totals"],
        "steps_seconds": steps.seconds,
        "seconds": seconds,
    }


def _say_what_next(settings: Settings, console: Console, seconds: float) -> None:
    secrets = settings.home / "secrets" / "airflow-admin"
    console.print(f"\nDone in {seconds} s. The services are up; look at", soft_wrap=True)
    for what, where in (
        ("the run, in Airflow", f"{airflow.url(settings)}  user {airflow.USER}, password in {secrets}"),
        (
            "the tables",
            'cd dbt_project && ../.venv/bin/dbt show --inline "select * from reports.rpt_daily_sales"',
        ),
        ("the dashboards", str(settings.home / "demo" / "report.html")),
        ("the books", ".venv/bin/mercato verify"),
        ("the truth", str(settings.home / "demo" / "truth.json")),
        ("stop", "make down"),
    ):
        console.print(f"  {what:<20} {where}", soft_wrap=True)
