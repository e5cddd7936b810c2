"""Does a run of the models cost what is new, or what there is? The same delta on a small and on a large history.

One shop with faults (2 %, events up to 90 days late among them), one stream; its end are the deltas, the same bytes for
both. The large history is all before them, the small one the last of it, of 120 days: a shop that came to us later. So
late events find the same days in both, and what differs is how much history there is, alone. Each history is loaded
as the consumer does and built wholly, then each delta by a run of its own.

`--young` is a shop of a delta a day, as old as its history: ten days and a hundred, say. Late events reach 90 days, so
the small one's reach fewer, and its delta costs less for that: what a shop sees in its first three months, not what
history costs. It is harsher, and was the only way to measure before.

Seconds are dbt's own, by model: the median of the rounds. Ratio: large by small, from this run; 1 is a cost that
doesn't grow with history. `all models` has the daily layer, made anew once a day; `each run` hasn't. Tests aren't run.

    .venv/bin/python benchmarks/transform.py --small 1000000 --large 10000000 --delta 100000
"""

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

from data_generator import simulate
from data_generator.config import Config
from ingestion.batch import Batch
from ingestion.migrations import migrate
from ingestion.warehouse import write_batch
from mercato import postgres as driver
from mercato.postgres import Connection
from mercato.services import dbt, dbt_process, endpoints, postgres, process
from mercato.settings import ROOT, Settings, Warehouse

#: Events of an average session, so that a day has about as many events as it should.
EVENTS_PER_SESSION = 5.6
#: Of the small history: more than the 90 days that an event may be late.
DAYS = 120
BATCH = 5_000
END = datetime(2026, 11, 1, tzinfo=UTC)


def main() -> None:
    """Print the table, and with --json one object on the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", type=int, default=1_000_000, help="events of the small history")
    parser.add_argument("--large", type=int, default=10_000_000, help="events of the large one")
    parser.add_argument("--delta", type=int, default=100_000, help="new events a run")
    parser.add_argument("--rounds", type=int, default=3, help="runs, each with a delta of its own")
    parser.add_argument("--young", action="store_true", help="a shop of a delta a day, as old as its history")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    new = options.rounds * options.delta
    if options.young:
        streams = [stream(events + new, options.delta) for events in (options.small, options.large)]
    else:
        a_day = options.small // DAYS
        streams = [stream(options.large + new, a_day) for _ in range(2)]
        # The same deltas: the small history is the last of the large one.
        streams[0] = itertools.islice(streams[0], options.large - options.small, None)
    home = ROOT / ".mercato" / "benchmark"
    settings = Settings(home=home, _env_file=None)
    with process.exclusive(home):
        postgres.start(settings)
    try:
        histories = [
            History(settings, lines, events, options.delta)
            for lines, events in zip(streams, (options.small, options.large), strict=True)
        ]
        # In turns, so that whatever else the machine does hits both.
        for _ in range(options.rounds):
            for history in histories:
                history.round()
        small, large = (history.medians() for history in histories)
    finally:
        postgres.stop(settings)
        shutil.rmtree(home, ignore_errors=True)
    print(f"{'model':<28}{'small s':>10}{'large s':>10}{'ratio':>8}")
    ratios = {model: large[model] / small[model] for model in small}
    for model in sorted(small, key=lambda model: -large[model]):
        print(f"{model:<28}{small[model]:>10.3f}{large[model]:>10.3f}{ratios[model]:>8.2f}")
    if options.json:
        print(json.dumps({"events": vars(options), "small_s": small, "large_s": large, "ratios": ratios}))


class History:
    """A warehouse with so many events, all models built, and the stream from which deltas come."""

    def __init__(self, settings: Settings, lines: Iterator[bytes], events: int, delta: int) -> None:
        name = f"bench_{uuid.uuid4().hex[:8]}"
        superuser = postgres.endpoint(settings, database="postgres", user=postgres.SUPERUSER)
        with driver.connect(superuser, autocommit=True) as server:
            server.execute(f"create database {name} owner mercato")
        local = postgres.endpoint(settings, database=name)
        address = Warehouse(
            host=local.host, port=local.port, database=name, password=local.password, sslmode="disable"
        )
        self.settings = settings.model_copy(update={"warehouse": address})
        self.delta = delta
        self.stream = lines
        self.found: list[dict[str, float]] = []
        with self.connect() as connection:
            migrate(connection)
            connection.execute("insert into ops.positions values ('shop', 'shop', 0, 0)")
            self.position = load(connection, self.stream, 0, events)
            connection.execute("vacuum analyze")
            began = time.monotonic()
            run(self.settings)
            print(f"{events:>12,} events built wholly in {time.monotonic() - began:.0f} s", flush=True)
            connection.execute("vacuum analyze")  # as autovacuum would have by then

    def connect(self) -> Connection:
        """A connection to this warehouse."""
        return driver.connect(endpoints.warehouse(self.settings), autocommit=True)

    def round(self) -> None:
        """Load a delta and run the models."""
        with self.connect() as connection:
            self.position = load(connection, self.stream, self.position, self.delta)
        self.found.append(run(self.settings))

    def medians(self) -> dict[str, float]:
        """Model to the seconds of an increment, the whole run as `all models`."""
        return {model: statistics.median(seconds[model] for seconds in self.found) for model in self.found[0]}


def stream(count: int, a_day: int) -> Iterator[bytes]:
    """At least `count` lines of a shop with about so many events a day, in the order of delivery."""
    days = count * 3 // (a_day * 2) + 3  # quiet seasons have fewer; what is too much is never made
    config = Config(
        seed=1,
        end=END,
        days=days,
        sessions_per_day=round(a_day / EVENTS_PER_SESSION),
        faults=0.02,
        growth=0.0,
    )
    return (record.line for record in simulate.records(config) if record.line is not None)


def load(connection: Connection, events: Iterator[bytes], at: int, count: int) -> int:
    """Load the next `count` lines in batches; returns the position after them."""
    now = END
    for first in range(at, at + count, BATCH):
        batch = Batch("shop", "shop", {0: first}, max_record_bytes=1_000_000)
        size = min(BATCH, at + count - first)
        lines = list(itertools.islice(events, size))
        assert len(lines) == size, "the shop sent less than planned"
        for number, line in enumerate(lines):
            batch.add(0, first + number, line, now)
        write_batch(connection, batch)
    return at + count


def run(settings: Settings) -> dict[str, float]:
    """Run all models, without tests; seconds of each as dbt measured them, and two sums."""
    subprocess.run(
        [str(dbt_process.program()), "--quiet", "run"],
        cwd=dbt.PROJECT,
        env=dbt.environment(settings),
        check=True,
    )
    results = json.loads((settings.home / "dbt" / "target" / "run_results.json").read_text())["results"]
    seconds = {
        result["unique_id"].rpartition(".")[2]: float(result["execution_time"])
        for result in results
        if result["unique_id"].startswith("model.")
    }
    daily = {path.stem for path in (dbt.PROJECT / "models" / "daily").glob("*.sql")}
    each = sum(took for model, took in seconds.items() if model not in daily)
    return {**seconds, "all models": sum(seconds.values()), "each run": each}


if __name__ == "__main__":
    main()
