"""`mercato export`: the reports as files, for spreadsheets and for those without access to the warehouse.

Guarantee: a file is whole or not there; all are of one moment.
"""

import json
from pathlib import Path

import click

from ingestion.sql import query
from mercato import settings as config
from mercato.errors import MercatoError
from mercato.postgres import connect, sql
from mercato.services import endpoints
from mercato.settings import Settings

SCHEMA = "reports"


@click.command(short_help="The reports as CSV files.")
@click.option(
    "--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="Default: .mercato/exports."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print file names and rows as one JSON object on stdout."
)
def export(folder: Path | None, as_json: bool) -> None:
    """Write each table of the schema `reports` as a CSV file with a header, UTF-8, over the one of the last export.

    \b
    Example:
      mercato export --to exports
    """
    settings = config.load()
    found = write(settings, folder or settings.home / "exports")
    for name, rows in found.items():
        click.echo(f"{name}: {rows:,} rows", err=True)
    if as_json:
        click.echo(json.dumps({"files": found}))


def write(settings: Settings, folder: Path) -> dict[str, int]:
    """Write the files; returns each one's path and its rows.

    Raises:
        MercatoError: there are no reports yet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, int] = {}
    with connect(endpoints.warehouse(settings), application="mercato export") as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        tables = connection.execute(query("report_tables"), {"schema": SCHEMA}).fetchall()
        if not tables:
            raise MercatoError("there are no reports yet", "`mercato transform` builds them")
        for (table,) in tables:
            path = folder / f"{table}.csv"
            draft = path.with_suffix(".csv.new")
            statement = sql.SQL(query("copy_table")).format(table=sql.Identifier(SCHEMA, table))
            with connection.cursor() as cursor, draft.open("wb") as out:
                with cursor.copy(statement) as rows:
                    for chunk in rows:
                        out.write(chunk)
                found[str(path)] = cursor.rowcount
            draft.replace(path)
    return found
