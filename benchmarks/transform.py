"""Does a run of the models cost what is new, or what there is? The same delta on a small and on a large history.

One shop with faults (2 %, events up to 90 days late among them), one stream; its end are the deltas, the same bytes for
both. The large history is all before them, the small one the last of it, of 120 days: a shop that came to us later. So
late events find the same days in both, and what differs is how much history there is, alone. Each history is loaded
as the consumer does and built wholly, then each delta by a run of its own.

Before each run the tables that it looks things up in are read once: both histories are in memory, as on a server of
their own. A hundred thousand events are of ten thousand visitors, whose last visits lie anywhere in the history: with
these pages on disk it is the disk that is measured, and a machine that is shared may take back within a minute what
nobody reads (`kdamond`), the minute in which autovacuum is waited for.

Seconds are dbt's own, by model: the median of the rounds. Ratio: large by small, from this run; 1 is a cost that
doesn't grow with history. `all models` has the daily layer, made anew once a day; `each run` hasn't. Tests aren't run.

    .venv/bin/python benchmarks/transform.py --small 1000000 --large 10000000 --delta 100000

Disk: 2.1 kB an event, half of it raw and staging. `--raw-on` puts these two, of both histories, on another file system:
one that compresses (btrfs with zstd) holds them in a seventh. Postgres then has to be told `file_extend_method =
write_zeros`, which this does, since what is only allocated isn't compressed. With `--keep` both histories stay, and the
next call with the same numbers measures them again, by the deltas that are left: two hours less at 50 M.
"""

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from data_generator import workers
from data_generator.config import Config
from ingestion.batch import Batch
from ingestion.migrations import migrate
from ingestion.warehouse import positions, write_batch
from mercato import postgres as driver
from mercato.postgres import Connection
from mercato.services import dbt, dbt_process, endpoints, postgres, process
from mercato.settings import ROOT, Settings, Warehouse

#: Events of an average session, so that a day has about as many events as it should.
EVENTS_PER_SESSION = 5.6
#: Of the small history: more than the 90 days that an event may be late.
DAYS = 120
BATCH = 5_000
#: Models with a row an event.
BY_EVENT = ["stg_events", "stg_product_interactions", "int_events_sessionized", "fct_product_interactions"]
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
    parser.add_argument("--deltas", type=int, help="deltas to make, for calls to come (default: the rounds)")
    parser.add_argument("--raw-on", type=Path, metavar="DIR", help="an empty folder of another file system")
    parser.add_argument("--keep", action="store_true", help="leave the histories for another call")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    home = ROOT / ".mercato" / f"histories-{options.small}-{options.large}-{options.delta}"
    settings = Settings(home=home, _env_file=None)
    known = (home / "built").exists()
    with process.exclusive(home):
        postgres.start(settings)
    try:
        if not known:
            make(settings, options)
        small, large = (History(settings, name) for name in ("small", "large"))
        taken = (large.position() - options.large) // options.delta
        with (home / "lines").open("rb") as file:
            lines = (line[:-1] for line in file)
            for _ in itertools.islice(lines, options.small + taken * options.delta):
                pass
            # In turns, so that whatever else the machine does hits both.
            for _ in range(options.rounds):
                delta = list(itertools.islice(lines, options.delta))
                if len(delta) < options.delta:
                    raise SystemExit(f"no delta is left: delete {home}, or make more with --deltas")
                for history in (small, large):
                    settle(settings)
                    history.warm()
                    history.round(delta)
    finally:
        postgres.stop(settings)
        if not options.keep:
            shutil.rmtree(home, ignore_errors=True)
    before, after = small.medians(), large.medians()
    ratios = {model: after[model] / before[model] for model in before}
    print(f"{'model':<28}{'small s':>10}{'large s':>10}{'ratio':>8}")
    for model in sorted(before, key=lambda model: -after[model]):
        print(f"{model:<28}{before[model]:>10.3f}{after[model]:>10.3f}{ratios[model]:>8.2f}")
    if options.json:
        events = {name: getattr(options, name) for name in ("small", "large", "delta", "rounds")}
        print(json.dumps({"events": events, "small_s": before, "large_s": after, "ratios": ratios}))


def make(settings: Settings, options: argparse.Namespace) -> None:
    """Load both histories and build them; the lines from the small one's first on stay in a file, the deltas last."""
    cold = make_tablespace(settings, options.raw_on) if options.raw_on else None
    deltas = options.delta * (options.deltas or options.rounds)
    lines = stream(options.large + deltas, options.small // DAYS)
    with (settings.home / "lines").open("wb") as kept:

        def noted(lines: Iterator[bytes]) -> Iterator[bytes]:
            for number, line in enumerate(lines):
                if number >= options.large - options.small:
                    kept.write(line + b"\n")
                yield line

        lines = noted(lines)
        large = History.make(settings, "large", lines, options.large, cold)
        for _ in itertools.islice(lines, deltas):
            pass
    with (settings.home / "lines").open("rb") as file:
        small = History.make(settings, "small", (line[:-1] for line in file), options.small, cold)
    for history in (small, large):
        history.build(cold)
    (settings.home / "built").touch()


def make_tablespace(settings: Settings, folder: Path) -> str:
    """A tablespace in this folder; its name."""
    shutil.chown(folder, *(settings.home / "postgres" / "data").stat()[4:6])
    with superuser(settings) as server:
        server.execute("alter system set file_extend_method = write_zeros")
        server.execute("select pg_reload_conf()")
        server.execute(f"create tablespace cold owner mercato location '{folder.resolve()}'")
    return "cold"


def superuser(settings: Settings) -> Connection:
    """A connection to the server as the one who may all."""
    address = postgres.endpoint(settings, database="postgres", user=postgres.SUPERUSER)
    return driver.connect(address, autocommit=True)


def settle(settings: Settings) -> None:
    """Let autovacuum come by, as it does between two deltas: what a run leaves behind isn't paid for by the next."""
    with superuser(settings) as server:
        server.execute("checkpoint")
        time.sleep(60)  # its naptime
        while server.execute(
            "select from pg_stat_activity where backend_type = 'autovacuum worker'"
        ).fetchone():
            time.sleep(1)


class History:
    """A warehouse with so many events of the stream, and the seconds of the deltas that came since."""

    def __init__(self, settings: Settings, name: str) -> None:
        local = postgres.endpoint(settings, database=name)
        address = Warehouse(
            host=local.host, port=local.port, database=name, password=local.password, sslmode="disable"
        )
        self.settings = settings.model_copy(update={"warehouse": address})
        self.name = name
        self.found: list[dict[str, float]] = []

    @classmethod
    def make(
        cls, settings: Settings, name: str, lines: Iterator[bytes], events: int, tablespace: str | None = None
    ) -> "History":
        """A new warehouse with the next so many lines; no model is built."""
        with superuser(settings) as server:
            server.execute(f"create database {name} owner mercato")
        history = cls(settings, name)
        with history.connect() as connection:
            migrate(connection)
            connection.execute("insert into ops.positions values ('shop', 'shop', 0, 0)")
            connection.execute(f"alter database {name} set default_tablespace = {tablespace or 'pg_default'}")
        with history.connect() as connection:
            load(connection, lines, events)
            connection.execute("vacuum analyze")
        return history

    def build(self, tablespace: str | None = None) -> None:
        """Build all models; those of staging stay where raw is."""
        began = time.monotonic()
        run(self.settings, *(["--select", "staging"] if tablespace else []))
        if tablespace:
            with self.connect() as connection:
                connection.execute(f"alter database {self.name} reset default_tablespace")
            run(self.settings, "--exclude", "staging")
        with self.connect() as connection:
            print(
                f"{self.position():>12,} events built wholly in {time.monotonic() - began:.0f} s", flush=True
            )
            connection.execute("vacuum analyze")  # as autovacuum would have by then

    def warm(self) -> None:
        """Read all models' tables and indexes once, but those with a row an event: a run reads their end alone."""
        with self.connect() as connection:
            paths = connection.execute(
                "select pg_relation_filepath(files.oid) from pg_class as models "
                "left join pg_index on models.oid = indrelid "
                "inner join pg_class as files on files.oid in (models.oid, indexrelid) "
                "where models.relnamespace::regnamespace::text = any(%s) and models.relkind = 'r' "
                "and models.relname != all(%s) group by files.oid",
                [["staging", "intermediate", "marts", "reports"], BY_EVENT],
            ).fetchall()
        for (path,) in paths:
            first = self.settings.home / "postgres" / "data" / path
            for part in (first, *first.parent.glob(f"{first.name}[._]*")):
                with part.open("rb") as file:
                    while file.read(1 << 20):
                        pass

    def connect(self) -> Connection:
        """A connection to this warehouse."""
        return driver.connect(endpoints.warehouse(self.settings), autocommit=True)

    def position(self) -> int:
        """How many lines of the stream it has taken."""
        with self.connect() as connection:
            (taken,) = connection.execute("select sum(next_position) from ops.positions").fetchone() or (0,)
        return int(taken)

    def round(self, delta: list[bytes]) -> None:
        """Load a delta and run the models."""
        with self.connect() as connection:
            load(connection, iter(delta), len(delta))
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
    # Two, so that one simulates while lines are loaded; they make the same bytes as one.
    records = workers.records(config, 2, lambda: False)
    return (record.line for record in records if record.line is not None)


def load(connection: Connection, lines: Iterator[bytes], count: int) -> None:
    """Load the next `count` lines in batches, from where the stream's position is."""
    at = positions(connection, "shop", "shop", [0])[0]
    for first in range(at, at + count, BATCH):
        batch = Batch("shop", "shop", {0: first}, max_record_bytes=1_000_000)
        size = min(BATCH, at + count - first)
        taken = list(itertools.islice(lines, size))
        assert len(taken) == size, "the shop sent less than planned"
        for number, line in enumerate(taken):
            batch.add(0, first + number, line, END)
        write_batch(connection, batch)


def run(settings: Settings, *selection: str) -> dict[str, float]:
    """Run models, all unless told which, without tests; seconds of each as dbt measured them, and two sums."""
    subprocess.run(
        [str(dbt_process.program()), "--quiet", "run", *selection],
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
