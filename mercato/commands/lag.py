"""`mercato lag`: does the stream flow, and how far behind it are raw and the marts?"""

import json
from dataclasses import asdict, dataclass
from typing import Any

import click

from ingestion.sql import query
from ingestion.stream import end_offsets
from mercato import settings as config
from mercato.commands.due import ahead
from mercato.errors import MercatoError
from mercato.kafka_admin import Admin
from mercato.postgres import connect
from mercato.services import endpoints
from mercato.settings import Settings


class Stalled(MercatoError):
    """Records wait in the stream and nobody loads them."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Records in the stream not yet loaded, events in raw not yet in the models, and the last load's age."""

    in_flight: int
    raw_rows: int
    not_yet_transformed: int
    seconds_since_load: float | None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def look(settings: Settings) -> Lag:
    """Ask the broker and the warehouse; cheap, whatever they hold.

    Raises:
        ServiceUnavailable: one of them is away.
    """
    servers = endpoints.kafka(settings)
    with (
        connect(endpoints.warehouse(settings), autocommit=True, application="mercato lag") as connection,
        Admin(servers) as admin,
    ):
        rows_ahead, _ = ahead(connection)
        (rows,) = connection.execute(query("raw_rows")).fetchone() or (0,)
        (seconds,) = connection.execute(query("seconds_since_load")).fetchone() or (None,)
        in_flight = 0
        if topic := admin.topic(settings.kafka.topic):
            source = {"source": f"kafka:{topic.name}", "source_uid": topic.topic_id}
            # Positions first: what is loaded in between must not look lost.
            positions: dict[int, int] = dict(connection.execute(query("stream_positions"), source).fetchall())
            starts, ends = admin.start_offsets(topic), end_offsets(servers, admin, topic)
            in_flight = sum(
                max(0, end - positions.get(partition, starts[partition])) for partition, end in ends.items()
            )
    return Lag(in_flight, int(rows), rows_ahead, seconds)


@click.command(short_help="How far raw and the marts are behind the stream.")
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object on stdout.")
def lag(as_json: bool) -> None:
    """Say how many records wait in the stream and how many events the marts lack. Exit code 1 where the stream
    stands: records wait, and none was loaded for MERCATO_INGESTION__STALLED_SECONDS.

    \b
    Example:
      mercato lag
    """
    settings = config.load()
    found = look(settings)
    since = "never" if found.seconds_since_load is None else f"{found.seconds_since_load:,.0f} s ago"
    click.echo(
        f"{found.in_flight:,} records in flight, last load {since}; "
        f"{found.not_yet_transformed:,} of {found.raw_rows:,} events not yet in the models",
        err=True,
    )
    if as_json:
        click.echo(json.dumps(found.as_dict()))
    quiet = found.seconds_since_load
    if found.in_flight and (quiet is None or quiet > settings.ingestion.stalled_seconds):
        raise Stalled(
            f"{found.in_flight:,} records wait in topic {settings.kafka.topic}, the last load was {since}",
            "start a consumer: `mercato consume`; one that runs says what is wrong",
        )
