"""How fast is exactly-once ingestion, beside psql's \\copy of the same good rows into a bare table?

One process, Kafka → committed: decode, validate, deduplicate, quarantine, ledger; events of about 500 bytes, 1 %
of them duplicates, 1 % bad. Ratios are rows a second, ours by theirs, from this run; higher is better.

    .venv/bin/python benchmarks/ingest.py --events 1000000
"""

import argparse
import contextlib
import dataclasses
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psutil
from confluent_kafka import Producer

from ingestion.batch import Batch
from ingestion.decode import Rejected, decode
from ingestion.lines import copy_line, special
from ingestion.migrations import migrate
from ingestion.stream import Stream
from mercato import postgres as driver
from mercato.kafka_admin import Admin
from mercato.postgres import Endpoint
from mercato.services import broker, endpoints, postgres, process
from mercato.settings import ROOT, Settings

MERCATO = Path(sys.executable).with_name("mercato")
COLUMNS = (
    "message_id text, type text, event text, user_id text, anonymous_id text, "
    "timestamp timestamptz, sent_at timestamptz, received_at timestamptz, context {json}, properties {json}, "
    "traits {json}, partition integer, position bigint"
)


def events(count: int, seed: int = 1) -> Iterator[bytes]:
    """Events of about 500 bytes: 1 % a copy of an earlier one, 1 % bad."""
    rng = random.Random(seed)
    recent: list[bytes] = []
    for number in range(count):
        draw = rng.random()
        if draw < 0.01 and recent:
            yield rng.choice(recent)
            continue
        visitor = rng.getrandbits(64)
        event = {
            "messageId": str(uuid.UUID(int=rng.getrandbits(128))),
            "type": "track",
            "event": "Product Viewed",
            "anonymousId": f"{visitor:016x}",
            "timestamp": f"2026-11-{1 + number % 20:02d}T10:{number % 60:02d}:00.000Z",
            "sentAt": "2026-11-20T10:00:00.000Z",
            "context": {  # as a browser sends it
                "page": {"path": f"/product/{visitor % 5000}", "title": "Über-Teapot, 2 l"},
                "device": {"type": "mobile"},
                "locale": "de-DE",
            },
            "properties": {
                "product_id": f"p-{visitor % 5000}", "sku": f"SKU-{visitor % 5000}", "name": "Über-Teapot, 2 l",
                "brand": "Nordlicht", "category": "Kitchen", "price": round(1 + visitor % 9999 / 100, 2),
                "currency": "EUR", "url": f"https://shop.example/product/{visitor % 5000}",
            },
        }  # fmt: skip
        line = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
        if draw > 0.99:
            yield line[: len(line) // 2]
            continue
        if len(recent) < 10_000:
            recent.append(line)
        else:
            recent[number % 10_000] = line
        yield line


def psql(endpoint: Endpoint, *commands: str) -> float:
    """Run psql; seconds of the whole process, which starts in some 20 ms."""
    words = [
        str(postgres.binaries() / "psql"),
        "-qX",
        "-v",
        "ON_ERROR_STOP=1",
        "-h",
        endpoint.host,
        "-p",
        str(endpoint.port),
    ]
    words += ["-U", endpoint.user, "-d", endpoint.database]
    for command in commands:
        words += ["-c", command]
    began = time.monotonic()
    subprocess.run(words, env={**os.environ, "PGPASSWORD": endpoint.password}, check=True)
    return time.monotonic() - began


def main() -> None:
    """Print the table, and with --json one object on the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    home = ROOT / ".mercato" / "benchmark"
    settings = Settings(home=home, _env_file=None)
    with process.exclusive(home):
        postgres.start(settings)
        broker.start(settings)
    try:
        rounds = [measure(settings, options.events) for _ in range(options.rounds)]
    finally:
        broker.stop(settings)
        postgres.stop(settings)
    peak, load_peak = (max(one.pop(name) for one in rounds) for name in ("peak_mb", "load_peak_mb"))
    seconds = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    rows = options.events
    ratios = {f"mercato / {name}": round(seconds[name] / seconds["mercato consume"], 3) for name in seconds}
    print(f"{rows:,} events, seconds (events a second), and ours as a ratio to it")
    for name, value in seconds.items():
        print(f"  {name:<34} {value:7.2f} s  {rows / value:10,.0f}/s  {ratios[f'mercato / {name}']:6.2f}")
    print(f"  peak memory of mercato consume     {peak:7.0f} MB, of mercato load {load_peak:.0f} MB")
    if options.json:
        memory = {"peak_mb": peak, "load_peak_mb": load_peak}
        print(json.dumps({"events": rows, "seconds": seconds, "ratios": ratios, **memory}))


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[Endpoint]:
    """A migrated warehouse of its own, dropped in the end."""
    name = f"bench_{uuid.uuid4().hex[:8]}"
    superuser = postgres.endpoint(settings, database="postgres", user=postgres.SUPERUSER)
    with driver.connect(superuser, autocommit=True) as connection:
        connection.execute(f"create database {name} owner mercato")
    endpoint = dataclasses.replace(postgres.endpoint(settings), database=name)
    try:
        with driver.connect(endpoint, autocommit=True) as connection:
            migrate(connection)
        yield endpoint
    finally:
        with driver.connect(superuser, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")


def environment(settings: Settings, endpoint: Endpoint, topic: str) -> dict[str, str]:
    """What a command needs to work on that warehouse and topic."""
    return {
        **os.environ, **endpoints.environment(settings), "MERCATO_HOME": str(settings.home),
        "MERCATO_WAREHOUSE__DATABASE": endpoint.database, "MERCATO_KAFKA__TOPIC": topic,
        "MERCATO_KAFKA__BOOTSTRAP_SERVERS": endpoints.kafka(settings),
    }  # fmt: skip


def measure(settings: Settings, count: int) -> dict[str, float]:
    """One round on a fresh database and a fresh topic."""
    with database(settings) as endpoint:
        return _measure(settings, count, endpoint)


def _measure(settings: Settings, count: int, endpoint: Endpoint) -> dict[str, float]:
    name = endpoint.database
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=settings.home) as folder:
        rows, file = Path(folder) / "rows.txt", Path(folder) / "events.ndjson"
        good = _send(settings, name, count, rows, file)
        psql(endpoint, f"create table bare ({COLUMNS.format(json='jsonb')})")
        found["psql \\copy, bare table"] = psql(endpoint, f"\\copy bare from '{rows}'") * count / good
        psql(endpoint, "drop table bare")
        found["the same, with the unique id"] = (
            psql(
                endpoint,
                f"create table keyed ({COLUMNS.format(json='jsonb')}, primary key (message_id))",
                f"\\copy keyed from '{rows}'",
            )
            * count
            / good
        )
        psql(endpoint, "drop table keyed")
        with database(settings) as other:
            command = [str(MERCATO), "load", str(file), "--json"]
            _, found["load_peak_mb"], out = run(command, environment(settings, other, name))
        found["mercato load, the same in a file"] = json.loads(out)["files"][0]["seconds"]
    psql(endpoint, f"create table unguarded ({COLUMNS.format(json='jsonb')})")
    found["our consumer, guarantees off"] = unguarded(settings, endpoint, name)
    psql(endpoint, "drop table unguarded")
    command = [str(MERCATO), "consume", "--until-empty", "--json"]
    _, found["peak_mb"], out = run(command, environment(settings, endpoint, name))
    done = json.loads(out)
    assert done["received"] == count, done
    found["mercato consume"] = done["seconds"]
    with Admin(endpoints.kafka(settings)) as admin:
        admin.delete_topic(name)
    return found


def unguarded(settings: Settings, endpoint: Endpoint, topic: str) -> float:
    """Seconds of reading, decoding and copying alone: no unique id, quarantine, ledger or position."""
    began = time.monotonic()
    with (
        Admin(endpoints.kafka(settings)) as admin,
        driver.connect(endpoint, autocommit=True) as connection,
        ThreadPoolExecutor(1) as thread,
    ):
        stream = Stream(endpoints.kafka(settings), "unguarded", topic, admin)
        goal = stream.end_offsets()
        stream.take_all(lambda numbers, _: dict.fromkeys(numbers, 0))
        writing = thread.submit(_copy, connection, [])
        reached, lines, now = dict.fromkeys(goal, 0), [], datetime.now(UTC)
        while any(reached[number] < end for number, end in goal.items()):
            for partition, position, raw, _ in stream.read(1_000, 0.05).records:
                reached[partition] = position + 1
                plain = raw is not None and not special(raw)
                event = decode(raw, now, 1_000_000, plain=plain)
                if not isinstance(event, Rejected):
                    lines.append(copy_line(event, partition, position, plain=plain))
            if len(lines) >= 10_000:
                writing.result()
                writing, lines = thread.submit(_copy, connection, lines), []
        writing.result()
        _copy(connection, lines)
        stream.close()
    return time.monotonic() - began


def _copy(connection: driver.Connection, lines: list[bytes]) -> None:
    with connection.cursor() as cursor, cursor.copy("copy unguarded from stdin") as copy:
        for start in range(0, len(lines), 50):
            copy.write(b"\n".join(lines[start : start + 50]) + b"\n")


def run(command: list[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """Seconds, peak memory in MB and stdout of a process that must succeed."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as out:
        child = psutil.Popen(command, env=environment, stdout=out)
        peak = 0
        while child.poll() is None:  # sampled: what the kernel keeps as the largest begins with our own size
            time.sleep(0.05)
            with contextlib.suppress(psutil.Error):
                peak = max(peak, child.memory_info().rss)
        assert child.returncode == 0, f"{command[:2]} failed"
        out.seek(0)
        return time.monotonic() - began, peak / 2**20, out.read().decode()


def _send(settings: Settings, topic: str, count: int, rows: Path, lines: Path) -> int:
    """Produce the events, write them as `lines`, the good ones once each as COPY `rows`; returns how many those are."""
    with Admin(endpoints.kafka(settings)) as admin:
        admin.ensure_topic(topic, 3)
    producer = Producer(
        {"bootstrap.servers": endpoints.kafka(settings), "linger.ms": 20, "compression.type": "lz4"}
    )
    seen: set[str] = set()
    now = datetime.now(UTC)
    with rows.open("wb") as file, lines.open("wb") as whole:
        for number, line in enumerate(events(count)):
            whole.write(line + b"\n")
            while True:
                try:
                    producer.produce(topic, line, key=str(number % 1000))
                    break
                except BufferError:
                    producer.poll(0.05)
            one = Batch("", "", {0: number}, 1_000_000)
            one.add(0, number, line, now)
            for event in one.accepted:
                if event.message_id not in seen:
                    seen.add(event.message_id)
                    file.write(event.line + b"\n")
    assert producer.flush(60) == 0
    return len(seen)


if __name__ == "__main__":
    main()
