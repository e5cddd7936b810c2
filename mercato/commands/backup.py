"""`mercato backup` and `mercato restore`: the warehouse as a folder, and back into an empty server."""

import json
import time
from pathlib import Path
from typing import Any

import click

from ingestion.migrations import migrate
from ingestion.sql import query
from mercato import settings as config
from mercato.errors import MercatoError, WrongUse
from mercato.postgres import Connection, connect, sql
from mercato.services import dump, endpoints
from mercato.settings import Settings


@click.command(short_help="Write a backup of the warehouse to a folder.")
@click.option(
    "--to", "folder", type=click.Path(file_okay=False, path_type=Path),
    help="Where the backup's folder is made. Default: MERCATO_BACKUP__FOLDER, else backups/ of the checkout.",
)  # fmt: skip
@click.option(
    "--keep", type=click.IntRange(min=1), help="Afterwards, delete all but so many of the newest there."
)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as one JSON object on stdout.")
def backup(folder: Path | None, keep: int | None, as_json: bool) -> None:
    """Write the warehouse, as it is at one moment, to a new folder: a dump and a manifest with sums and versions.

    Loading and transforms go on meanwhile. What Kafka still holds is not in it: positions are, so a restored
    warehouse continues where the backup was made. Airflow's history and Grafana's users are not in it.

    \b
    Example:
      mercato backup --to /mnt/backups --keep 14
    """
    done = make(config.load(), folder=folder, keep=keep)
    click.echo(
        f"{done['folder']}: {done['bytes'] / 1e6:,.1f} MB, {done['sums']['events']:,} events, {done['seconds']} s",
        err=True,
    )
    if as_json:
        click.echo(json.dumps(done, default=str))


def make(settings: Settings, *, folder: Path | None = None, keep: int | None = None) -> dict[str, Any]:
    """Write a backup, then delete all but the `keep` newest of this database; the manifest with folder and seconds.

    Raises:
        MercatoError: pg_dump failed.
    """
    began, folder = time.monotonic(), folder or settings.backup.folder
    address = endpoints.warehouse(settings)
    target, manifest = dump.write(address, folder, query("backup_sums"), query("applied_migrations"))
    for old in _older(folder, address.database, keep) if keep else []:
        for name in (dump.DUMP, dump.MANIFEST):
            (old / name).unlink(missing_ok=True)
        old.rmdir()
        click.echo(f"{old} deleted", err=True)
    return {"folder": str(target), "seconds": round(time.monotonic() - began, 1), **manifest}


@click.command(short_help="Restore a backup into an empty warehouse.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Tables at once.")
@click.option("--json", "as_json", is_flag=True, help="Print what was restored as one JSON object on stdout.")
def restore(folder: Path, jobs: int, as_json: bool) -> None:
    """Restore a backup into the warehouse of the settings, which must hold nothing yet, on this or another server.

    Makes it fit for the server: transaction ids, which order what the models have taken in, begin anew there; newer
    migrations are applied and each role gets its rights. At the end its sums are compared with the manifest.

    \b
    Example:
      mercato restore backups/warehouse-20261121T020000Z && mercato verify
    """
    settings, began = config.load(), time.monotonic()
    manifest = dump.read_manifest(folder)
    address = endpoints.warehouse(settings)
    with connect(address, autocommit=True, application="mercato restore") as connection:
        _make_empty(connection, address.database)
        dump.load(address, folder, jobs)
        _renumber(connection)
        migrate(connection)
        found = connection.execute(query("backup_sums"))
        names = [column.name for column in found.description or []]
        sums = dict(zip(names, found.fetchone() or (), strict=True))
        connection.execute("analyze")
    seconds = round(time.monotonic() - began, 1)
    if wrong := differences(manifest["sums"], sums):
        raise MercatoError(f"restored, but not what the manifest says: {wrong}", "take another backup")
    click.echo(f"{address}: {sums['events']:,} events as of {manifest['made_at']}, {seconds} s", err=True)
    if as_json:
        click.echo(json.dumps({"database": address.database, "seconds": seconds, "sums": sums}, default=str))


def differences(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """Which sums differ, in words; empty if none does."""
    return ", ".join(
        f"{name} {found.get(name)} instead of {value}"
        for name, value in expected.items()
        if str(found.get(name)) != str(value)
    )


def _make_empty(connection: Connection, database: str) -> None:
    """Drop our schemas if they hold nothing, as `mercato up` and `mercato migrate` leave them.

    Raises:
        WrongUse: there is an event, a ledger row or a model.
    """
    row = connection.execute(query("holds_anything")).fetchone()
    if row and row[0] and (connection.execute(query("holds_data")).fetchone() or (False,))[0]:
        raise WrongUse(
            f"the database {database} holds data",
            "restore into an empty one: MERCATO_WAREHOUSE__DATABASE names it",
        )
    from ingestion.migrations import drop_all

    drop_all(connection)


def _renumber(connection: Connection) -> None:
    """Make the transaction ids those of this server, in one transaction.

    An id says two things: what a model had taken in when it was built (all below), and what readers may take
    next (all below the oldest one running). Only the order between batches and models' marks matters, and each must be
    below any id that this server will give. So a batch's id becomes the number of marks that are not above it, and
    a mark its rank: small numbers, which every server has long passed.
    """
    watermark = sql.Identifier("staging", "stg_load_watermark")
    with connection.transaction():
        built = connection.execute("select to_regclass('staging.stg_load_watermark') is not null").fetchone()
        connection.execute("create temporary table marks (load_xid xid8, place bigint) on commit drop")
        marks = "select load_xid from ops.models where load_xid is not null"
        if built and built[0]:
            marks += " union select load_xid from staging.stg_load_watermark"
        connection.execute(
            f"insert into marks select load_xid, row_number() over (order by load_xid) from ({marks}) as m"  # noqa: S608
        )
        connection.execute(query("renumber_ledger"))
        connection.execute(query("renumber_models"))
        if built and built[0]:
            connection.execute(sql.SQL(query("renumber_watermark")).format(watermark))


def _older(folder: Path, database: str, keep: int) -> list[Path]:
    """Backups of this database but for the newest `keep`."""
    found = sorted(path.parent for path in folder.glob(f"{database}-*Z/{dump.MANIFEST}"))
    return found[: max(0, len(found) - keep)]
