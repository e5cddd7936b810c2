"""What does Airflow add to dbt? The DAG `transform` beside a plain `dbt build` of the same models and tests.

Both in turns on the same warehouse, each after the same number of new events; wall time from the trigger to the run's
end as Airflow's API tells it, and of the `dbt build` process from its start to its end. Ratio: Airflow by dbt, medians
of this run. Goal: 1.1 at most. And how long Airflow reads the DAG files, all of them: under two seconds.

    .venv/bin/python benchmarks/airflow_overhead.py --rounds 5 --events 5000
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

from transform import load, stream

from ingestion.migrations import migrate
from mercato import postgres as driver
from mercato.services import airflow, airflow_api, broker, dbt, dbt_process, endpoints, postgres, process
from mercato.settings import ROOT, Settings

#: The watcher looks at raw every two seconds; what it tells while the DAG is paused starts no run of its own.
WATCHED_S = 6
#: `transform` also runs every ten minutes by the clock, and ours would wait for that run: no round is begun so many
#: seconds before, and the next one is when the clock's has ended.
CLOCK_S, ENDED_S = 150, 60


def main() -> None:
    """Print the table, and with --json one object on the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--history", type=int, default=100_000, help="events there are before")
    parser.add_argument("--events", type=int, default=5_000, help="new events before each run")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    settings = Settings(home=ROOT / ".mercato" / "benchmark-airflow", _env_file=None)
    with process.exclusive(settings.home):
        postgres.start(settings)
        broker.start(settings)
    try:
        found = measure(settings, options.rounds, options.history, options.events)
        parse = reading(settings)
    finally:
        airflow.stop(settings)
        broker.stop(settings)
        postgres.stop(settings)
        shutil.rmtree(settings.home, ignore_errors=True)
    medians = {name: statistics.median(seconds) for name, seconds in found.items()}
    print(f"{'':<20}{'median s':>10}   each")
    for name, seconds in found.items():
        print(f"{name:<20}{medians[name]:>10.1f}   {' '.join(f'{one:.1f}' for one in seconds)}")
    ratios = {"Airflow / dbt build": medians["Airflow: transform"] / medians["dbt build"]}
    print(
        f"Airflow / dbt build: {ratios['Airflow / dbt build']:.2f}; all DAG files are read in {parse:.2f} s"
    )
    if options.json:
        print(json.dumps({"seconds": found, "parse_s": parse, "ratios": ratios}))


def measure(settings: Settings, rounds: int, history: int, events: int) -> dict[str, list[float]]:
    """Seconds of each run of both; one of each that isn't counted goes before."""
    lines = stream(history + (2 * rounds + 2) * events, 20_000)
    with driver.connect(endpoints.warehouse(settings), autocommit=True) as connection:
        migrate(connection)
        connection.execute("insert into ops.positions values ('shop', 'shop', 0, 0)")
        load(connection, lines, history)
        plain(settings)  # all models, from nothing
        airflow.start(settings)
        api = airflow_api.Api(settings)
        assert process.wait_until(lambda: api.known("transform"), seconds=60)
        found: dict[str, list[float]] = {"dbt build": [], "Airflow: transform": []}
        # New events start a run of their own; here each run is ours.
        for number in range(rounds + 1):
            if (left := 600 - time.time() % 600) < CLOCK_S:
                time.sleep(left + ENDED_S)
            api.pause("transform", True)
            load(connection, lines, events)
            took = plain(settings)
            load(connection, lines, events)
            time.sleep(WATCHED_S)
            api.pause("transform", False)
            run = airflow_api.run_dag(settings, "transform")
            if number:
                found["dbt build"].append(took)
                found["Airflow: transform"].append(run.seconds)
    return found


def reading(settings: Settings) -> float:
    """Seconds that Airflow takes to read the DAG files, without its own start."""
    code = (
        "from airflow.dag_processing.dagbag import DagBag; import sys\n"
        "print('\\n', sum(one.duration.total_seconds() for one in DagBag(dag_folder=sys.argv[1]).dagbag_stats))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "airflow" / "dags")],
        env=airflow.environment(settings), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout.split()[-1])


def plain(settings: Settings) -> float:
    """Seconds of one `dbt build` of the four layers that the DAG builds, in a process of its own."""
    began = time.monotonic()
    words = [
        "--quiet",
        "build",
        "--exclude-resource-type",
        "unit_test",
        "--exclude",
        "path:models/daily",
        "path:tests/daily",
    ]
    env = {**os.environ, **dbt.environment(settings)}
    subprocess.run([str(dbt_process.program()), *words], cwd=dbt.PROJECT, env=env, check=True)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
