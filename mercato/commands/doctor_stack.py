"""What `mercato doctor` asks of the services: ports, the warehouse, the stream. Findings, never an error."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from ingestion.migrations import FOLDER, pending
from ingestion.sql import query
from mercato import postgres as warehouse
from mercato.commands import lag
from mercato.commands.verify import draw_balance
from mercato.errors import MercatoError
from mercato.kafka_admin import Admin
from mercato.postgres import Connection, Missing
from mercato.services import airflow, broker, endpoints, grafana, postgres, process
from mercato.settings import Settings

#: Seconds that two clocks may differ before times of events and loads can't be compared.
CLOCK_SECONDS = 5
#: Seconds that a loaded event may wait for the models: Airflow's clock runs them every ten minutes.
MARTS_SECONDS = 1_800


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, what was seen, and the cure where it is a problem."""

    check: str
    seen: str
    cure: str | None = None


def ports(settings: Settings) -> Iterator[Finding]:
    """Ports that the settings ask for and another program holds."""
    for name, wanted, runs in (
        ("postgres", settings.local.postgres_port, postgres.running),
        ("kafka", settings.local.kafka_port, broker.running),
        ("airflow", settings.local.airflow_port, airflow.running),
        ("grafana", settings.local.grafana_port, grafana.running),
    ):
        if wanted is None or runs(settings) or process.port_free(wanted):
            continue
        yield Finding(
            "ports",
            f"port {wanted} for {name} is taken by {_holder(wanted)}",
            f"end that program, or set MERCATO_LOCAL__{name.upper()}_PORT to another port",
        )


def _holder(port: int) -> str:
    for one in psutil.net_connections("inet"):
        if one.laddr and one.laddr.port == port and one.status == psutil.CONN_LISTEN and one.pid:
            return f"{psutil.Process(one.pid).name()} (process {one.pid})"
    return "another program"


def postgres_and_tables(settings: Settings) -> Iterator[Finding]:
    """The server answers, and the schema, clock, partitions and marts are as they should be."""
    try:
        address = endpoints.warehouse(settings)
        with warehouse.connect(address, autocommit=True) as connection:
            missing = pending(connection)
            if missing:
                yield Finding(
                    "postgres", f"{address} answers, the schema is old: {', '.join(missing)} not applied",
                    "`mercato up`; with a server of your own `mercato migrate`",
                )  # fmt: skip
                return
            known = [path.name for path in FOLDER.glob("*.sql")]
            if unknown := connection.execute(query("migrations_unknown"), {"known": known}).fetchall():
                yield Finding(
                    "postgres", f"{address} is of a newer version: {unknown[0][0]} isn't known here",
                    "update this checkout: `git pull && make up`",
                )  # fmt: skip
                return
            yield Finding("postgres", f"{address} answers, schema up to date")
            yield from _clock(connection)
            yield from _partitions(connection)
            yield from _marts(connection)
    except MercatoError as error:
        yield Finding("postgres", error.what, error.cure)


def _clock(connection: Connection) -> Iterator[Finding]:
    before = time.time()
    server, ahead = connection.execute(query("server_clock")).fetchone() or (before, None)
    off = server - (before + time.time()) / 2
    if abs(off) > CLOCK_SECONDS:
        yield Finding(
            "clock", f"the server's clock is {abs(off):,.0f} s {'ahead of' if off > 0 else 'behind'} this machine's",
            "let both follow a time server (`timedatectl set-ntp true`)",
        )  # fmt: skip
    elif ahead is not None and ahead > CLOCK_SECONDS:
        yield Finding(
            "clock", f"the last load is {ahead:,.0f} s in the future: the server's clock was ahead, or is behind",
            "compare it with another clock (`date --utc`), and let it follow a time server",
        )  # fmt: skip
    else:
        yield Finding("clock", f"{abs(off):.1f} s from the server's")


def _partitions(connection: Connection) -> Iterator[Finding]:
    missing = [month for (month,) in connection.execute(query("months_without_partition")).fetchall()]
    (stray,) = connection.execute(query("rows_without_month")).fetchone() or (0,)
    if missing or stray:
        yield Finding(
            "partitions",
            f"none for {', '.join(missing) or 'some months'}; {stray:,} events wait in raw.events_default",
            "`mercato maintain --step partitions` makes them and moves the events",
        )  # fmt: skip
    else:
        yield Finding("partitions", "there for this month and the next")


def _marts(connection: Connection) -> Iterator[Finding]:
    try:
        (waiting,) = connection.execute(query("seconds_not_transformed")).fetchone() or (None,)
    except Missing:  # no model was ever built
        (waiting,) = connection.execute(query("seconds_never_transformed")).fetchone() or (None,)
    if waiting is not None and waiting > MARTS_SECONDS:
        yield Finding(
            "marts", f"stale: events loaded {waiting / 60:,.0f} minutes ago are not in the models",
            "`mercato transform`; if Airflow should do it, `mercato up --airflow`; `mercato runs` says what is red",
        )  # fmt: skip
    else:
        yield Finding("marts", "have all that was loaded half an hour ago")


def stream(settings: Settings) -> Iterator[Finding]:
    """The broker answers, somebody loads what it holds, and the books balance."""
    try:
        servers = endpoints.kafka(settings)
        with Admin(servers) as admin:
            topic = admin.topic(settings.kafka.topic)
        if topic is None:
            yield Finding(
                "kafka", f"{servers} answers, but has no topic {settings.kafka.topic}", "`mercato up`"
            )
            return
        memory = " (local, in memory only)" if broker.running(settings) else ""
        yield Finding("kafka", f"{servers} answers, topic {topic.name} is there{memory}")
        yield from _consumer(settings)
        found = draw_balance(settings)
        wrong = found.residual or found.differences
        seen = (
            f"{found.in_flight:,} in flight, residual {found.residual}, {len(found.differences)} differences"
        )
        yield Finding("ledger", seen, "`mercato verify` names them" if wrong else None)
    except MercatoError as error:
        yield Finding("kafka", error.what, error.cure)
    except Missing:
        pass  # not migrated: the check of Postgres says so


def _consumer(settings: Settings) -> Iterator[Finding]:
    found = lag.look(settings)
    quiet = found.seconds_since_load
    if not found.in_flight or (quiet is not None and quiet <= settings.ingestion.stalled_seconds):
        yield Finding("consumer", f"{found.in_flight:,} records wait")
        return
    with warehouse.connect(endpoints.warehouse(settings), autocommit=True) as connection:
        (connected,) = connection.execute(query("consumers_connected")).fetchone() or (0,)
    since = (
        "nothing was ever loaded" if quiet is None else f"nothing was loaded for {quiet / 60:,.0f} minutes"
    )
    who = f"{connected} connected" if connected else "none is connected"
    yield Finding(
        "consumer",
        f"{found.in_flight:,} records wait, {since}, {who}",
        "read its words, then start it again"
        if connected
        else "`mercato consume`; it continues where the last one was",
    )
