"""`mercato maintain`: what the warehouse needs once a day."""

import json
import sys

import click

from ingestion import disk, partitions
from ingestion.sql import query
from mercato import settings as config
from mercato.postgres import connect
from mercato.services import endpoints


@click.command(short_help="Make next months' partitions, drop what retention allows.")
@click.option(
    "--keep-months", type=click.IntRange(min=1),
    help="Keep raw events of this month and so many before; default: MERCATO_RETENTION__RAW_MONTHS, else all.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object on stdout.")
def maintain(keep_months: int | None, as_json: bool) -> None:
    """Make the partitions of the next months ready, and drop those that retention no longer keeps. Also forgets
    live counts older than two days, and notes how full the disk is.

    Safe to run at any time, also while events are loaded. Dropped events are gone from raw; the ledger still
    books them. Marts keep what they hold, but a full refresh builds only what raw still has.

    \b
    Example:
      mercato maintain --keep-months 24
    """
    settings = config.load()
    keep = keep_months or settings.retention.raw_months
    with connect(
        endpoints.warehouse(settings), autocommit=True, application="mercato maintain"
    ) as connection:
        made = partitions.make(connection)
        dropped = partitions.drop(connection, keep) if keep else []
        connection.execute(query("forget_live_events"))
        disk.measure(connection, settings.home)
    click.echo(
        f"made {', '.join(made) or 'none, all are there'}; dropped {', '.join(dropped) or 'none'}", err=True
    )
    if as_json:
        json.dump({"made": made, "dropped": dropped}, sys.stdout)
        sys.stdout.write("\n")
