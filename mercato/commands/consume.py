"""`mercato consume`: Kafka to Postgres, each record exactly once."""

import dataclasses
import gc
import json
import signal
import sys
import time
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ingestion.consume import Consumer
from ingestion.warehouse import Written
from mercato import settings as config
from mercato.services import endpoints
from mercato.services.postgres import LOADER


@click.command(short_help="Load events from Kafka into Postgres, each exactly once.")
@click.option("--until-empty", is_flag=True, help="Stop when all that is in the topic now is loaded.")
@click.option("--json", "as_json", is_flag=True, help="Print what was loaded as one JSON object on stdout.")
def consume(until_empty: bool, as_json: bool) -> None:
    """Load events from Kafka into Postgres until stopped (Ctrl-C or SIGTERM finishes the batch in hand).

    Positions are kept in Postgres beside the rows, so it may be killed at any time and started again;
    several may run at once and share the partitions.

    \b
    Example:
      mercato consume --until-empty
    """
    settings = config.load()
    settings.home.mkdir(parents=True, exist_ok=True)
    total = Written(0, 0, 0, 0)
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("consume"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console,
        disable=not console.is_terminal,
    )  # fmt: skip
    task = bar.add_task("waiting for records", total=None)

    def on_batch(written: Written) -> None:
        nonlocal total
        total = Written(
            *(a + b for a, b in zip(dataclasses.astuple(total), dataclasses.astuple(written), strict=True))
        )
        bar.update(task, description=str(total))

    consumer = Consumer(
        settings,
        endpoints.warehouse(settings, role=LOADER),
        endpoints.kafka(settings),
        until_empty=until_empty,
        on_batch=on_batch,
        on_trouble=lambda words: click.echo(f"waiting: {words}", err=True),
        on_turn=(settings.home / "consumer.alive").touch,  # health checks look how old it is
    )

    def stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        consumer.stop.set()

    # Records are freed by their count of references; the search for cycles among them cost a third of the time.
    gc.freeze()
    # The threads that write wait for the server, not for the processor: 5 ms until they may go on is too long.
    sys.setswitchinterval(0.0005)
    gc.set_threshold(200_000, 50, 100)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    began = time.monotonic()
    with bar:
        consumer.run()
    seconds = round(time.monotonic() - began, 2)
    click.echo(f"consume: {total} in {seconds} s", err=True)
    if as_json:
        json.dump({**dataclasses.asdict(total), "seconds": seconds}, sys.stdout)
        sys.stdout.write("\n")
