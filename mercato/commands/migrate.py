"""`mercato migrate`: roles, databases, schema and topic of the services in the settings, brought up to date."""

import click

from ingestion.migrations import migrate as apply
from mercato import settings as config
from mercato.errors import WrongUse
from mercato.kafka_admin import Admin
from mercato.postgres import connect
from mercato.services import endpoints, postgres, roles
from mercato.services.secrets import read


@click.command(short_help="Bring roles, schema and topic of the services up to date.")
def migrate() -> None:
    """Make the roles and databases that are missing, apply the migrations that are, grant each role its rights, and
    make the topic. Safe to run at any time; `mercato up` does it for the local services.

    Roles need the superuser's password, the file postgres-postgres of MERCATO_SECRETS. Without it they are left as they
    are: whoever runs the server makes them (docs/deployment.md).

    \b
    Example:
      mercato migrate
    """
    settings = config.load()
    made = _make_roles(settings)
    with connect(endpoints.warehouse(settings), autocommit=True, application="mercato migrate") as connection:
        applied = apply(connection)
    with Admin(endpoints.kafka(settings)) as admin:
        topic = admin.ensure_topic(settings.kafka.topic, settings.kafka.partitions)
    click.echo(
        f"roles {'up to date' if made else 'left as they are'}; "
        f"applied {', '.join(applied) or 'nothing, all was there'}; "
        f"topic {topic.name} has {len(topic.partitions)} partitions",
        err=True,
    )


def _make_roles(settings: config.Settings) -> bool:
    if settings.warehouse.host is None:
        postgres.make_roles(settings)
        return True
    folder = settings.secrets
    if folder is None or settings.warehouse.password is not None:
        return False
    try:
        superuser = endpoints.warehouse(settings, role=postgres.SUPERUSER, database="postgres")
    except WrongUse:  # not given to this process
        return False
    airflow = f"airflow_{settings.environment}" if settings.environment else "airflow"
    with connect(superuser, autocommit=True, application="mercato migrate") as connection:
        roles.make(
            connection,
            lambda role: read(folder / f"postgres-{role}"),
            {settings.warehouse.database: roles.OWNER, airflow: roles.AIRFLOW},
        )
    return True
