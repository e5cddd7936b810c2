"""`mercato up | down | status`: the local services."""

import json
import os
import shutil
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ingestion import disk
from ingestion.migrations import migrate
from ingestion.sql import query
from mercato import postgres as warehouse
from mercato import settings as config
from mercato.commands.verify import draw_balance
from mercato.dashboards.alerts import contact_points
from mercato.errors import MercatoError
from mercato.kafka_admin import Admin
from mercato.services import airflow, broker, endpoints, grafana, postgres, process


def start_services(settings: config.Settings) -> None:
    """Start what isn't an outside address, then bring the warehouse's schema and the topic up to date."""
    with process.exclusive(settings.home):
        if settings.warehouse.host is None:
            postgres.start(settings)
        if settings.kafka.bootstrap_servers is None:
            broker.start(settings)
        endpoints.write_dbt_environment(settings)
        with warehouse.connect(endpoints.warehouse(settings), autocommit=True) as connection:
            migrate(connection)
            disk.measure(connection, settings.home)
    with Admin(endpoints.kafka(settings)) as admin:
        admin.ensure_topic(settings.kafka.topic, settings.kafka.partitions)


@click.command(short_help="Start Postgres, the broker and, if asked, Airflow.")
@click.option("--airflow", "with_airflow", is_flag=True, help="Start Airflow with its UI, too (10 to 20 s).")
@click.option(
    "--grafana",
    "with_grafana",
    is_flag=True,
    help="Start the Grafana that is on the PATH, with our dashboards.",
)
def up(with_airflow: bool, with_grafana: bool) -> None:
    """Start the local services: Postgres 18 and a Kafka-protocol broker; safe to run again.

    A service whose address is in the settings (MERCATO_WAREHOUSE__HOST, MERCATO_KAFKA__BOOTSTRAP_SERVERS) is
    not started but used. All state is below .mercato/ of the checkout; passwords are generated there.

    \b
    Example:
      mercato up --airflow
    """
    settings = config.load()
    start_services(settings)
    if with_airflow:
        postgres.start(settings)  # Airflow's metadata is local, though the warehouse may be outside
        airflow.start(settings)
    if with_grafana:
        told = settings.alerts
        grafana.start(settings, contact_points(told.email or "", told.webhook or "", told.slack or ""))
    _print_status(_services(settings))


@click.command(short_help="Stop the local services.")
@click.option(
    "--discard", is_flag=True, help="Stop although the broker holds records that are not loaded yet."
)
@click.option(
    "--delete-data", is_flag=True, help="Also delete the warehouse, logs and secrets of this checkout."
)
def down(discard: bool, delete_data: bool) -> None:
    """Stop the local services. The warehouse stays; the local broker, in memory only, forgets its records.

    \b
    Example:
      mercato down
    """
    settings = config.load()
    if not (discard or delete_data) and broker.running(settings) and settings.kafka.bootstrap_servers is None:
        _refuse_while_in_flight(settings)
    grafana.stop(settings)
    airflow.stop(settings)
    broker.stop(settings)
    postgres.stop(settings)
    if delete_data and settings.home.exists():
        shutil.rmtree(settings.home)
    click.echo("stopped" + (f", {settings.home} deleted" if delete_data else ""), err=True)


@click.command(short_help="Which services run, where, and what the warehouse holds.")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object on stdout.")
def status(as_json: bool) -> None:
    """Say which services run, where, and what the warehouse holds. Exit code 1 if one is down.

    \b
    Example:
      mercato status
    """
    settings = config.load()
    found = _services(settings)
    if as_json:
        click.echo(json.dumps(found))
    else:
        _print_status(found)
    if any(service["state"] == "down" for service in found.values()):
        raise SystemExit(1)


def _services(settings: config.Settings) -> dict[str, dict[str, str]]:
    """Service to its state (up, down, off, outside), address and a note."""
    found = {
        "postgres": {"state": "down", "address": "", "note": "`mercato up`"},
        "kafka": {"state": "down", "address": "", "note": "`mercato up`"},
        "airflow": {"state": "off", "address": "", "note": "`mercato up --airflow`"},
    }
    try:
        address = endpoints.warehouse(settings)
        with warehouse.connect(address, autocommit=True) as connection:
            loaded, quarantined, at = connection.execute(query("ledger_summary")).fetchone() or (0, 0, None)
        note = f"{loaded:,} events, {quarantined:,} in quarantine" + (
            f", last load {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
        )
        found["postgres"] = {
            "state": "up",
            "address": f"{address.host}:{address.port}/{address.database}",
            "note": note,
        }
    except MercatoError as error:
        found["postgres"]["note"] = error.what
    try:
        servers = endpoints.kafka(settings)
        with Admin(servers) as admin:
            topic = admin.topic(settings.kafka.topic)
        note = (
            f"topic {topic.name}, {len(topic.partitions)} partitions"
            if topic
            else f"no topic {settings.kafka.topic}"
        )
        found["kafka"] = {"state": "up", "address": servers, "note": note}
    except MercatoError as error:
        found["kafka"]["note"] = error.what
    if airflow.running(settings):
        parts = airflow.health(settings)
        healthy = bool(parts) and set(parts.values()) == {"healthy"}
        note = f"user {airflow.USER}, password in {_short(settings.home)}/secrets/airflow-admin"
        found["airflow"] = {
            "state": "up" if healthy else "down",
            "address": airflow.url(settings),
            "note": note if healthy else f"not healthy: {parts or 'no answer'}",
        }
    if grafana.running(settings):
        healthy = grafana.healthy(settings)
        note = f"user {grafana.USER}, password in {_short(settings.home)}/secrets/grafana-admin"
        found["grafana"] = {
            "state": "up" if healthy else "down",
            "address": grafana.url(settings),
            "note": note if healthy else f"no answer; read {_short(grafana.folder(settings))}/grafana.log",
        }
    return found


def _print_status(found: dict[str, dict[str, str]]) -> None:
    console = Console(stderr=True)
    table = Table(box=None, pad_edge=False)
    for heading in ("service", "state", "address"):
        table.add_column(heading, no_wrap=True)
    table.add_column("note", overflow="fold")
    for name, service in found.items():
        colour = {"up": "green", "down": "red"}.get(service["state"], "dim")
        table.add_row(name, f"[{colour}]{service['state']}[/]", service["address"], service["note"])
    console.print(table, width=None if console.is_terminal else 160)


def _refuse_while_in_flight(settings: config.Settings) -> None:
    try:
        waiting = draw_balance(settings).in_flight
    except MercatoError:
        return  # Postgres is away: nothing can be loaded, so nothing is gained by staying up
    if waiting:
        raise MercatoError(
            f"{waiting:,} records are only in the local broker's memory, not yet loaded",
            "`mercato consume --until-empty`, then `mercato down`; or `mercato down --discard`",
        )


def _short(path: Path) -> str:
    """The path as the reader would type it from where they are."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
