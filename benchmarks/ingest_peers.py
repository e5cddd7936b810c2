"""How fast is our consumer beside what people use to bring events from Kafka to Postgres?

All read the same bytes from the same Apache Kafka into the same Postgres: events of about 500 bytes, 1 % of them
duplicates, 1 % bad (cut in half). Each is to store every good event once. The peers, each as its documents
recommend it where that isn't slow:

dlt       in the shape of its Kafka source; merge by messageId, rows as CSV
Connect   Kafka Connect, standalone, with Debezium's JDBC sink: upsert by messageId, rows unnested; the schema is
          given to the JSON converter, bad records go to a dead letter queue; JVM of 2 GB. With one task, which reads
          with one consumer as ours and each other peer does, and with three, one a partition. Connect-defaults is
          one task whose batches, buffers and inserts are as they come; the others have the fastest we found
rowwise   the plain loop of tutorials: json.loads, psycopg2, insert … on conflict do nothing, commit each 1,000 rows

Ratios are of events a second, ours by theirs, ours from a run on the same topic right before; higher is better. Seconds
are from the process's start to its end (Connect: until the last event is stored), so ours too counts its start. The
peers may be given fewer events (--peer-events). Needs Java 17, Maven and, the first time, a package index.

    .venv/bin/python benchmarks/ingest_peers.py --events 1000000 --peer-events 200000
"""

import argparse
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from confluent_kafka import Producer
from ingest import database, events, run

from mercato import postgres as driver
from mercato.kafka_admin import Admin
from mercato.postgres import Endpoint
from mercato.services import endpoints, postgres, process
from mercato.settings import ROOT, Kafka, Settings
from tests import apache_kafka

HERE = Path(__file__).parent
HOME = ROOT / ".mercato" / "benchmark"
ROWWISE = (
    "create table events (message_id text primary key, type text, event text, anonymous_id text, "
    "timestamp timestamptz, sent_at timestamptz, context jsonb, properties jsonb)"
)
#: What an event holds, for Connect: without a schema its JDBC sink can't store JSON.
FIELDS = {
    "messageId": "string", "type": "string", "event": "string", "anonymousId": "string",
    "timestamp": "string", "sentAt": "string",
    "context": {"page": {"path": "string", "title": "string"}, "device": {"type": "string"}, "locale": "string"},
    "properties": {
        "product_id": "string", "sku": "string", "name": "string", "brand": "string", "category": "string",
        "price": "double", "currency": "string", "url": "string",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Topic:
    """A topic that holds `count` events, and how many different good ones."""

    servers: str
    name: str
    count: int
    good: int


@dataclass(frozen=True)
class Result:
    """What a loader stored, in rows, in how many seconds, with how much memory at most."""

    events: int
    rows: int
    missing: int
    seconds: float
    peak_mb: float
    bad_kept: str

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def main() -> None:
    """Print the table, and with --json one object on the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--peer-events", type=int, default=None, help="for the peers; default: the same")
    parser.add_argument("--only", choices=PEERS, action="append", help="these peers; default: all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = options.only or list(PEERS)
    settings = Settings(home=HOME, _env_file=None)
    kafka = apache_kafka.Broker(HOME / "apache", heap_mb=1_000)
    with process.exclusive(HOME):
        postgres.start(settings)
    results: dict[str, Result] = {}
    beside: dict[str, Result] = {}
    try:
        servers = kafka.start()
        many = send(servers, options.events)
        few = send(servers, options.peer_events) if options.peer_events else many
        results["mercato consume"] = on_fresh_database(settings, many, consume)
        for (
            name
        ) in names:  # ours right before each peer, on the same topic: what else the machine does hits both
            beside[name] = on_fresh_database(settings, few, consume)
            results[name] = on_fresh_database(settings, few, PEERS[name])
    finally:
        kafka.stop()
        postgres.stop(settings)
    ratios = {f"mercato / {name}": round(beside[name].rate / results[name].rate, 2) for name in names}
    print(
        "loader                 events   stored  missing   seconds  events/s  peak MB  ours by it  bad records"
    )
    for name, one in results.items():
        ratio = ratios.get(f"mercato / {name}", 1.0)
        print(
            f"{name:<17} {one.events:>11,} {one.rows:>8,} {one.missing:>8,} {one.seconds:>9.2f} {one.rate:>9,.0f} "
            f"{one.peak_mb:>8.0f} {ratio:>11.2f}  {one.bad_kept}"
        )
    if options.json:
        loaders = {name: dataclasses.asdict(one) for name, one in results.items()}
        print(json.dumps({"ratios": ratios, "loaders": loaders}))


def send(servers: str, count: int) -> Topic:
    """A topic of its own with the events."""
    name = f"peers_{uuid.uuid4().hex[:8]}"
    with Admin(servers) as admin:
        admin.ensure_topic(name, 3)
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20, "compression.type": "lz4"})
    good: set[str] = set()
    for number, line in enumerate(events(count)):
        while True:
            try:
                producer.produce(name, line, key=str(number % 1000))
                break
            except BufferError:
                producer.poll(0.05)
        with contextlib.suppress(ValueError):
            good.add(json.loads(line)["messageId"])
    assert producer.flush(60) == 0
    return Topic(servers, name, count, len(good))


def on_fresh_database(
    settings: Settings, topic: Topic, load: Callable[[Settings, Endpoint, Topic], Result]
) -> Result:
    """Run one loader on a database of its own."""
    with database(settings) as endpoint:
        return load(settings, endpoint, topic)


def consume(settings: Settings, endpoint: Endpoint, topic: Topic) -> Result:
    """Our consumer."""
    own = settings.model_copy(update={"kafka": Kafka(bootstrap_servers=topic.servers, topic=topic.name)})
    environment = {
        **os.environ, **endpoints.environment(own), "MERCATO_HOME": str(settings.home),
        "MERCATO_WAREHOUSE__DATABASE": endpoint.database, "MERCATO_KAFKA__TOPIC": topic.name,
        "MERCATO_KAFKA__BOOTSTRAP_SERVERS": topic.servers,
    }  # fmt: skip
    command = [str(Path(sys.executable).with_name("mercato")), "consume", "--until-empty", "--json"]
    seconds, peak, _out = run(command, environment)
    return result(endpoint, topic, seconds, peak, "raw.events", "message_id", "quarantined, with the reason")


def dlt(_: Settings, endpoint: Endpoint, topic: Topic) -> Result:
    """The peer dlt."""
    folder = HOME / "dlt" / topic.name
    command = [
        str(python()),
        str(HERE / "peers_dlt.py"),
        topic.servers,
        topic.name,
        url(endpoint),
        str(folder),
    ]
    seconds, peak, _out = run(command, {**os.environ, "RUNTIME__LOG_LEVEL": "ERROR"})
    return result(endpoint, topic, seconds, peak, "dlt.events", "message_id", "a table, by our code for it")


def rowwise(_: Settings, endpoint: Endpoint, topic: Topic) -> Result:
    """The peer of the tutorials."""
    with driver.connect(endpoint, autocommit=True) as connection:
        connection.execute(ROWWISE)
    command = [str(python()), str(HERE / "peers_rowwise.py"), topic.servers, topic.name, url(endpoint)]
    seconds, peak, _out = run([*command, str(topic.count)], dict(os.environ))
    return result(endpoint, topic, seconds, peak, "events", "message_id", "dropped")


def connect(
    _: Settings, endpoint: Endpoint, topic: Topic, *, tasks: int, tuning: dict[str, object]
) -> Result:
    """The peer Kafka Connect with Debezium's JDBC sink."""
    jars = apache_kafka.jars(HERE / "connect")
    name = f"{topic.name}-{tasks}{'' if tuning else '-defaults'}"  # its group too
    folder = HOME / "connect" / name
    folder.mkdir(parents=True)
    worker = {
        "bootstrap.servers": topic.servers, "offset.storage.file.filename": folder / "offsets",
        "offset.flush.interval.ms": 1_000, "listeners": "http://127.0.0.1:0",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter", "plugin.discovery": "service_load",
    }  # fmt: skip
    sink = {
        "name": name, "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "tasks.max": tasks,
        "topics": topic.name, "connection.url": f"jdbc:postgresql://{endpoint.host}:{endpoint.port}/{endpoint.database}",
        "connection.username": endpoint.user, "connection.password": endpoint.password,
        "collection.name.format": "public.events", "schema.evolution": "basic", "insert.mode": "upsert",
        "primary.key.mode": "record_value", "primary.key.fields": "messageId",
        "consumer.override.auto.offset.reset": "earliest",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "true",
        "value.converter.schema.content": json.dumps(schema("event", FIELDS)),
        "transforms": "flat", "transforms.flat.type": "org.apache.kafka.connect.transforms.Flatten$Value",
        "transforms.flat.delimiter": "_", "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": f"{name}-bad",
        "errors.deadletterqueue.topic.replication.factor": 1, **tuning,
    }  # fmt: skip
    files = []
    for kind, values in (("worker", worker), ("sink", sink)):
        files.append(folder / f"{kind}.properties")
        files[-1].write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")
        files[-1].chmod(0o600)
    command = ["java", "-Xmx2g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars}/*",
               "org.apache.kafka.connect.cli.ConnectStandalone", *map(str, files)]  # fmt: skip
    log = folder / "connect.log"
    began = last = time.monotonic()
    with log.open("wb") as out:
        child = psutil.Popen(command, stdout=out, stderr=out, cwd=folder)
    peak = rows = 0
    with driver.connect(endpoint, autocommit=True) as connection:
        while rows < topic.good and time.monotonic() < last + 180 and child.poll() is None:
            time.sleep(0.5)
            peak = max(peak, child.memory_info().rss)
            there = connection.execute("select to_regclass('public.events')").fetchone()
            row = (
                connection.execute("select count(*) from public.events").fetchone()
                if there != (None,)
                else (0,)
            )
            if row and row[0] != rows:
                rows, last = row[0], time.monotonic()
    child.terminate()
    child.wait()
    if not rows:
        raise SystemExit(f"Kafka Connect stored nothing: read {log}")
    return result(
        endpoint, topic, last - began, peak / 2**20, "public.events", "messageid", "dead letter topic"
    )


#: What made Connect fastest here.
TUNED = {
    "batch.size": 3_000, "use.reduction.buffer": "true", "dialect.postgres.unnest.insert.enabled": "true",
    "consumer.override.max.poll.records": 3_000, "consumer.override.fetch.min.bytes": 100_000,
}  # fmt: skip
PEERS: dict[str, Callable[[Settings, Endpoint, Topic], Result]] = {
    "dlt": dlt, "Connect-defaults": partial(connect, tasks=1, tuning={}),
    "Connect-1": partial(connect, tasks=1, tuning=TUNED), "Connect-3": partial(connect, tasks=3, tuning=TUNED),
    "rowwise": rowwise,
}  # fmt: skip


def schema(name: str, kind: object) -> dict[str, object]:
    """The form of a value in the language of Connect's JSON converter."""
    if isinstance(kind, dict):
        fields = [schema(inner, of) for inner, of in kind.items()]
        return {"type": "struct", "field": name, "optional": name != "event", "fields": fields}
    return {"type": kind, "field": name, "optional": name != "messageId"}


def result(
    endpoint: Endpoint, topic: Topic, seconds: float, peak: float, table: str, key: str, bad: str
) -> Result:
    """Count what was stored; rows stored twice would be more rows than keys."""
    with driver.connect(endpoint, autocommit=True) as connection:
        row = connection.execute(f"select count(*), count(distinct {key}) from {table}").fetchone()
    assert row
    return Result(topic.count, row[0], topic.good - row[1], seconds, peak, bad)


def url(endpoint: Endpoint) -> str:
    """The address as the peers take it."""
    return (
        f"postgresql://{endpoint.user}:{endpoint.password}@{endpoint.host}:{endpoint.port}/{endpoint.database}"
        "?sslmode=disable"
    )


def python() -> Path:
    """The interpreter of the peers' environment, which is made the first time."""
    folder, lock = HOME / "peers", HERE / "peers-requirements.txt"
    made = folder / "made"
    if not made.exists() or made.read_text() != lock.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--require-hashes"]
        subprocess.run([*uv, "--python", str(folder / "bin" / "python"), "-r", str(lock)], check=True)
        made.write_text(lock.read_text())
    return folder / "bin" / "python"


if __name__ == "__main__":
    main()
