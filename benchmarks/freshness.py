"""How long from an event's produce call until a reader sees it, at a steady rate: in raw, or in the marts?

Events of about 500 bytes go to the local broker at --rate; `mercato consume` loads them in a process of its own,
a member of the group; a reader asks raw.events for new rows all the time. The delay of an event is the reader's
first sight of it less the moment of its produce call, on this machine's one clock. Goal: p95 under one second.

With `--to marts` Airflow runs too: its DAG `transform` follows raw by itself, and an event is seen when a run that took
it in has ended green, all its reports and tests included. Then `mercato verify` looks at the books. Goal: p95 under 60
seconds, no run red, verified.

A second reader asks the Live dashboard's widest panel, as Grafana's role, every 5 seconds: how long each answer takes,
and how old the newest of the events that it counts was when it came. Goal: p95 of what a looker sees under 10 seconds.

    .venv/bin/python benchmarks/freshness.py --rate 2000 --seconds 60
    .venv/bin/python benchmarks/freshness.py --to marts --rate 500 --seconds 600
"""

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from ingest import database, environment, events

from mercato import postgres as driver
from mercato.dashboards.live import LIVE
from mercato.dashboards.sql import Chosen, expand, grafana_sql
from mercato.kafka_admin import Admin
from mercato.postgres import Endpoint
from mercato.services import airflow, airflow_api, broker, endpoints, postgres, process
from mercato.settings import ROOT, Settings, Warehouse

LEAD = 5.0  # seconds that joining the group may take, not measured


def main() -> None:
    """Print the percentiles, and with --json one object on the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", choices=["raw", "marts"], default="raw")
    parser.add_argument("--rate", type=int, default=2_000, help="events a second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    settings = Settings(home=ROOT / ".mercato" / "benchmark", _env_file=None)
    with process.exclusive(settings.home):
        postgres.start(settings)
        broker.start(settings)
    try:
        if options.to == "marts":
            found = measure_marts(settings, options.rate, options.seconds)
        else:
            found = measure(settings, options.rate, options.seconds)
    finally:
        airflow.stop(settings)
        broker.stop(settings)
        postgres.stop(settings)
    if options.to == "marts":
        print_marts(found)
        if options.json:
            print(json.dumps({**found, "ratios": {"p95 / 60 seconds": found["p95_s"] / 60}}))
        return
    print(
        f"{found['events']:,} events at {found['rate']:,.1f} a second, milliseconds from produced to visible in raw"
    )
    print("  p50 {p50_ms:,.0f}   p95 {p95_ms:,.0f}   p99 {p99_ms:,.0f}   most {most_ms:,.0f}".format(**found))
    print(
        "  as ops.freshness has its last minute: p50 {p50_ms:,}   p95 {p95_ms:,}   p99 {p99_ms:,}".format(
            **found["ops"]
        )
    )
    print(
        "  Live, looked at every 5 s: p95 {p95_s:,.1f} s until a look shows it; "
        "a look takes {query_p95_ms:,.0f} ms".format(**found["live"])
    )
    if options.json:
        print(json.dumps({**found, "ratios": {"p95 / 1 second": found["p95_ms"] / 1000}}))


def measure(settings: Settings, rate: int, seconds: float) -> dict[str, Any]:
    """Send for LEAD and then for `seconds`; delays of the events sent in the latter, in ms."""
    with database(settings) as endpoint:
        return _measure(settings, rate, seconds, endpoint)


def _measure(settings: Settings, rate: int, seconds: float, endpoint: Endpoint) -> dict[str, Any]:
    name = endpoint.database
    with Admin(endpoints.kafka(settings)) as admin:
        admin.ensure_topic(name, 3)
    command = [str(Path(sys.executable).with_name("mercato")), "consume"]
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    done = threading.Event()
    watcher = threading.Thread(target=watch, args=(endpoint, seen, done))
    looks: list[tuple[float, int, float]] = []
    looker = threading.Thread(target=look, args=(endpoint, looks, done))
    with subprocess.Popen(
        command, env=environment(settings, endpoint, name), stderr=subprocess.DEVNULL
    ) as child:
        watcher.start()
        looker.start()
        began = send(endpoints.kafka(settings), name, rate, seconds + LEAD, sent)
        deadline = time.time() + 30
        while len(seen) < len(sent) and time.time() < deadline:
            time.sleep(0.1)
        done.set()
        watcher.join()
        looker.join()
        child.terminate()
    assert len(seen) == len(sent), f"{len(sent) - len(seen)} events never came"
    delays = [1000 * (seen[key] - at) for key, at in sent.items() if at > began + LEAD]
    cuts = statistics.quantiles(delays, n=100)
    with driver.connect(endpoint) as connection:
        row = connection.execute(  # the last minute: the first one holds the joining of the group
            "select p50_ms::int, p95_ms::int, p99_ms::int from ops.freshness"
            " where stage = 'produced' order by minute desc limit 1"
        ).fetchone()
    took = max(sent.values()) - began
    return {
        "events": len(delays), "rate": len(sent) / took, "p50_ms": cuts[49], "p95_ms": cuts[94], "p99_ms": cuts[98],
        "most_ms": max(delays),
        "live": _live(sorted(sent.values()), looks, began + LEAD),
        "ops": dict(zip(("p50_ms", "p95_ms", "p99_ms"), row or (0, 0, 0), strict=True)),
    }  # fmt: skip


def measure_marts(settings: Settings, rate: int, seconds: float) -> dict[str, Any]:
    """Send for `seconds` while Airflow follows; delays in seconds until the events are in green marts."""
    with database(settings) as endpoint:
        warehouse = Warehouse(
            host=endpoint.host, port=endpoint.port, database=endpoint.database, password=endpoint.password,
            sslmode="disable",
        )  # fmt: skip
        own = settings.model_copy(
            update={
                "warehouse": warehouse,
                "kafka": settings.kafka.model_copy(update={"topic": endpoint.database}),
            }
        )
        with Admin(endpoints.kafka(settings)) as admin:
            admin.ensure_topic(endpoint.database, 3)
        airflow.start(own)
        airflow_api.run_dag(own, "transform")  # all tables are there
        try:
            return _follow(own, endpoint, rate, seconds)
        finally:
            airflow.stop(own)


def _follow(settings: Settings, endpoint: Endpoint, rate: int, seconds: float) -> dict[str, Any]:
    sent: dict[str, float] = {}
    command = [str(Path(sys.executable).with_name("mercato")), "consume"]
    env = environment(settings, endpoint, endpoint.database)
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as child:
        began = send(endpoints.kafka(settings), endpoint.database, rate, seconds, sent)
        with driver.connect(endpoint, autocommit=True) as connection:
            deadline = time.time() + 600
            # Not seen until a run that took the last of them in has ended.
            while time.time() < deadline and not connection.execute(
                "select 1 from ops.dag_runs where dag_id = 'transform' and state = 'success'"
                " and started_at > (select max(loaded_at) from ops.ledger)"
                " and (select sum(loaded) from ops.ledger) >= %s", [len(sent)],
            ).fetchone():  # fmt: skip
                time.sleep(0.5)
            child.terminate()
            # A batch is in the marts when the first green run that began after its commit has ended.
            rows = connection.execute(
                "select e.message_id, (select min(extract(epoch from r.ended_at)) from ops.dag_runs as r"
                " where r.dag_id = 'transform' and r.state = 'success' and r.started_at > l.loaded_at)"
                " from raw.events as e join"
                " (select batch_id, max(loaded_at) as loaded_at from ops.ledger group by 1) as l using (batch_id)"
            ).fetchall()
            runs = connection.execute(
                "select state, duration_s from ops.dag_runs where dag_id = 'transform' and ended_at > to_timestamp(%s)",
                [began],
            ).fetchall()
    verify = subprocess.run([command[0], "verify"], env=env, check=False, stdout=subprocess.DEVNULL)
    delays = [float(at) - sent[key] for key, at in rows if key in sent and at is not None]
    cuts = statistics.quantiles(delays, n=100)
    return {
        "events": len(delays), "never_seen": len(sent) - len(delays), "p50_s": cuts[49], "p95_s": cuts[94],
        "most_s": max(delays), "runs": len(runs), "red": sum(state != "success" for state, _ in runs),
        "run_median_s": float(statistics.median(seconds for _, seconds in runs)),
        "verified": verify.returncode == 0,
    }  # fmt: skip


def print_marts(found: dict[str, Any]) -> None:
    """The figures in words."""
    print(f"{found['events']:,} events, seconds from produced to green; {found['never_seen']} never seen")
    print("  p50 {p50_s:.0f}   p95 {p95_s:.0f}   most {most_s:.0f}".format(**found))
    print(
        "  {runs} runs of transform, {red} red, half of them took up to {run_median_s:.0f} s".format(**found)
    )
    print(f"  mercato verify: {'verified' if found['verified'] else 'not verified'}")


def _live(sent: list[float], looks: list[tuple[float, int, float]], since: float) -> dict[str, float]:
    """p95 of the seconds from an event's produce call until a look that counts it, and of a look's own."""
    delays: list[float] = []
    for at, counted, _ in looks:
        delays += [at - moment for moment in sent[len(delays) : counted]]
    measured = [delay for delay, moment in zip(delays, sent, strict=False) if moment > since]
    took = [seconds for _, _, seconds in looks]
    return {
        "p95_s": statistics.quantiles(measured, n=100)[94] if len(measured) > 1 else float("nan"),
        "query_p95_ms": 1000 * statistics.quantiles(took, n=100)[94] if len(took) > 1 else float("nan"),
    }


def look(endpoint: Endpoint, looks: list[tuple[float, int, float]], done: threading.Event) -> None:
    """Look at the Live panel of events every 5 seconds; note when, how many it counts, and what the look took."""
    panel = next(one for one in LIVE.panels if one.key == "by-event")
    with driver.connect(endpoint, autocommit=True) as connection:
        while not done.wait(5):
            now = datetime.now(UTC)
            sql = expand(
                grafana_sql(panel), Chosen(now - timedelta(minutes=15), now + timedelta(minutes=1), {})
            )
            asked = time.time()
            rows = connection.execute(sql.encode()).fetchall()
            looks.append((time.time(), sum(count for *_, count in rows), time.time() - asked))


def send(servers: str, topic: str, rate: int, seconds: float, sent: dict[str, float]) -> float:
    """Produce `rate` events a second, 20 times a second what is due; returns when it began."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 100})
    bodies = cycle([line for line in islice(events(5_000), 5_000) if line.endswith(b"}")])
    began = time.time()
    count = 0
    while (passed := time.time() - began) < seconds:
        while count < passed * rate:
            body = next(bodies)
            key = uuid.uuid4().hex
            sent[key] = time.time()
            producer.produce(topic, body.replace(body[14:50], key.encode(), 1), key=str(count % 1000))
            count += 1
        producer.poll(0)
        time.sleep(0.05)
    assert not producer.flush(30), "the broker didn't take all"
    return began


def watch(endpoint: Endpoint, seen: dict[str, float], done: threading.Event) -> None:
    """Ask for new batches all the time; note when each event was seen first."""
    last = 0
    with driver.connect(endpoint, autocommit=True) as connection:
        while not done.is_set():
            rows = connection.execute(
                "select message_id, batch_id from raw.events where batch_id > %s", [last]
            ).fetchall()
            now = time.time()
            for key, batch in rows:
                seen.setdefault(key, now)
                last = max(last, batch)
            time.sleep(0.02)


if __name__ == "__main__":
    main()
