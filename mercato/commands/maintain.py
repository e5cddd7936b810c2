"""`mercato maintain`: what the warehouse needs once a day, in steps that may each be run alone."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import click

from ingestion import disk, partitions
from ingestion.sql import query
from mercato import settings as config
from mercato.commands.backup import make as make_backup
from mercato.postgres import Connection, Missing, connect, sql
from mercato.services import endpoints
from mercato.settings import Settings

STEPS = ("backup", "partitions", "retention", "vacuum", "logs")


@click.command(short_help="Backup, partitions ahead, retention, vacuum, old logs.")
@click.option("--step", type=click.Choice(STEPS), help="Only this step; without it, all in order.")
@click.option(
    "--keep-months", type=click.IntRange(min=1),
    help="Keep raw events of this month and so many before; default: MERCATO_RETENTION__RAW_MONTHS, else all.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object on stdout.")
def maintain(step: str | None, keep_months: int | None, as_json: bool) -> None:
    """Write a backup if MERCATO_BACKUP__KEEP says how many to keep, make the partitions of the next months ready,
    drop those that retention no longer keeps, vacuum and analyse every table, note how full the disk is, and
    delete logs and records of runs older than MERCATO_RETENTION__LOG_DAYS, and live counts older than two days.

    Safe to run at any time, also while events are loaded. Dropped events are gone from raw; the ledger still
    books them. Marts keep what they hold, but a full refresh builds only what raw still has. Quarantined records
    are never dropped: the ledger counts them.

    \b
    Example:
      mercato maintain --keep-months 24
    """
    settings = config.load()
    keep = keep_months or settings.retention.raw_months
    found: dict[str, Any] = {}
    with connect(
        endpoints.warehouse(settings), autocommit=True, application="mercato maintain"
    ) as connection:
        for one in (step,) if step else STEPS:
            if one == "backup":
                words = "none made: MERCATO_BACKUP__KEEP is not set"
                if settings.backup.keep:
                    found["backup"] = str(make_backup(settings, keep=settings.backup.keep)["folder"])
                    words = found["backup"]
            elif one == "partitions":
                found["made"] = partitions.make(connection)
                words = f"made {', '.join(found['made']) or 'none, all are there'}"
            elif one == "retention":
                found["dropped"] = partitions.drop(connection, keep) if keep else []
                words = f"dropped {', '.join(found['dropped']) or 'none'}" + (
                    "" if keep else ": all are kept"
                )
            elif one == "vacuum":
                found["vacuumed"] = _vacuum(connection)
                disk.measure(connection, settings.home)
                words = f"vacuumed and analysed {found['vacuumed']} tables"
            else:
                found["forgotten"] = _forget(connection, settings)
                words = (
                    ", ".join(f"{count:,} {name}" for name, count in found["forgotten"].items()) + " deleted"
                )
            click.echo(f"{one}: {words}", err=True)
    if as_json:
        click.echo(json.dumps(found))


def _vacuum(connection: Connection) -> int:
    done = 0
    for (table,) in connection.execute(query("vacuum_tables")).fetchall():
        try:
            connection.execute(sql.SQL("vacuum (analyze, skip_locked) {}").format(sql.SQL(table)))
            done += 1
        except Missing:  # a model was built anew meanwhile
            continue
    return done


def _forget(connection: Connection, settings: Settings) -> dict[str, int]:
    """Delete records of runs, and log files of dbt and Airflow, that are older than the settings keep."""
    days = {"days": settings.retention.log_days}
    found = {
        name: connection.execute(query(f"forget_{name}"), days).rowcount
        for name in ("results", "task_runs", "dag_runs", "delays")
    }
    before = time.time() - settings.retention.log_days * 86_400
    connection.execute(query("forget_live_events"))
    connection.execute(query("forget_price_hours"))
    found["log files"] = sum(
        _delete_old(folder, before)
        for folder in (settings.home / "airflow" / "logs", settings.home / "dbt" / "logs")
    )
    return found


def _delete_old(folder: Path, before: float) -> int:
    """Delete the files last written before that moment, then the folders that they leave empty."""
    old = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
        if path.parent != folder and not any(path.parent.iterdir()):
            shutil.rmtree(path.parent, ignore_errors=True)
    return len(old)
