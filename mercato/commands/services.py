"""`mercato up | down | status | doctor`: the local services."""

import click

from ingestion.migrations import migrate
from mercato import postgres as warehouse
from mercato import settings as config
from mercato.kafka_admin import Admin
from mercato.services import broker, endpoints, postgres, process


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
    with Admin(endpoints.kafka(settings)) as admin:
        admin.ensure_topic(settings.kafka.topic, settings.kafka.partitions)


@click.command()
def up() -> None:
    """Start the local services."""
    start_services(config.load())


@click.command()
def down() -> None:
    """Stop the local services."""
    settings = config.load()
    broker.stop(settings)
    postgres.stop(settings)
