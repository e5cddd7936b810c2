"""What the models have yet to do, as Airflow's watchers ask it: is raw ahead of them, were the daily tables ever made?

Needs the warehouse alone, and is light to import: the triggerer holds it.
"""

from ingestion.sql import query
from mercato.postgres import Connection, Missing, connect
from mercato.services import endpoints
from mercato.settings import Settings

APPLICATION = "mercato lag"


def raw_ahead(settings: Settings) -> tuple[int, str | None]:
    """Events in raw that the models have not taken in, and the load watermark up to which they have.

    Raises:
        ServiceUnavailable: the warehouse is away.
    """
    with connect(endpoints.warehouse(settings), autocommit=True, application=APPLICATION) as connection:
        return ahead(connection)


def ahead(connection: Connection) -> tuple[int, str | None]:
    """As `raw_ahead`, over a connection."""
    try:
        row = connection.execute(query("raw_ahead")).fetchone()
        return (int(row[0]), row[1]) if row else (0, None)
    except Missing:  # before the first transform
        pass
    try:
        row = connection.execute(query("raw_rows")).fetchone()
        return (int(row[0]), None) if row else (0, None)
    except Missing:  # before the first `mercato up`
        return 0, None


def daily_never_made(settings: Settings) -> bool:
    """Whether the reports stand, and the tables that are made once a day never were: a new warehouse.

    Raises:
        ServiceUnavailable: the warehouse is away.
    """
    with connect(endpoints.warehouse(settings), autocommit=True, application=APPLICATION) as connection:
        (never,) = connection.execute(query("daily_never_made")).fetchone() or (False,)
        return bool(never)
