"""Reads the books and says whether they balance: with themselves, with the rows, with the source.

Guarantee: a row that was deleted, added or moved behind the ledger's back, a gap or overlap of positions,
and a record of the source that is in no book are each found and named. A replayed record counts once: it was
received by its own source, and moved from quarantined to loaded or duplicate.
"""

from dataclasses import asdict, dataclass, field

from ingestion.replay import SOURCE as REPLAY
from ingestion.sql import query
from mercato.kafka_admin import Topic
from mercato.postgres import Connection


@dataclass(slots=True)
class Balance:
    """Counts of records over all sources, and every difference found, each a line for people."""

    sent: int = 0
    received: int = 0
    loaded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    in_flight: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)
    positions: dict[tuple[str, str, int], int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    @property
    def residual(self) -> int:
        """Records sent that are in no book: 0, or something is lost or counted twice."""
        return self.sent - self.loaded - self.duplicate - self.quarantined - self.in_flight

    def counts(self) -> dict[str, int]:
        """The counts and the residual, by name."""
        values = {name: value for name, value in asdict(self).items() if isinstance(value, int)}
        return {**values, "residual": self.residual}


def read_books(connection: Connection) -> Balance:
    """Draw the balance of everything that was ever loaded here; `sent` counts what was received, and what is left of
    files whose load was broken off."""
    found = Balance()
    with (
        connection.transaction()
    ):  # one snapshot: a batch that commits meanwhile is in all or none of the counts
        connection.execute("set transaction isolation level repeatable read, read only")
        for row in connection.execute(query("ledger_totals")).fetchall():
            source, uid, partition, *counts = row
            received, loaded, duplicate, quarantined, control, first, following, begun, stored = counts
            found.loaded += loaded
            found.duplicate += duplicate
            found.quarantined += quarantined
            if source == REPLAY:
                found.quarantined -= received  # its own source received it; now it is loaded or a duplicate
            else:
                found.received += received
                found.sent += received
            where = f"{source} partition {partition}"
            if first != begun or following - first != received + control:
                found.differences.append(
                    f"ops.ledger: {where} books {received + control:,} positions of {following - (begun or 0):,}: "
                    "a gap or an overlap"
                )
            if stored != following:
                found.differences.append(
                    f"ops.positions: {where} continues at {stored}, the ledger ends at {following}"
                )
            found.positions[source, uid, partition] = following
        for source, partition, first, last, loaded, rows, quarantined, kept in connection.execute(
            query("ledger_against_rows")
        ).fetchall():
            where = f"{source} partition {partition}, offsets {first} to {last}"
            if loaded != rows:
                found.differences.append(
                    f"raw.events: {where}: the ledger loaded {loaded:,}, {rows:,} rows are there"
                )
            if quarantined != kept:
                found.differences.append(
                    f"raw.quarantine: {where}: the ledger quarantined {quarantined:,}, {kept:,} rows are there"
                )
        for source, batch_id, loaded, ids in connection.execute(query("ids_against_ledger")).fetchall():
            found.differences.append(
                f"raw.message_ids: {source} batch {batch_id}: the ledger loaded {loaded:,}, {ids:,} ids are claimed"
            )
        for batch, loaded, left, duplicate, known in connection.execute(
            query("replays_against_quarantine")
        ).fetchall():
            found.differences.append(
                f"raw.quarantine: replay in batch {batch}: the ledger has {loaded:,} loaded, {duplicate:,} duplicate; "
                f"{left:,} and {known:,} rows left by it"
            )
        for table, rows in connection.execute(query("rows_without_ledger")).fetchall():
            if rows:
                found.differences.append(f"{table}: {rows:,} rows are in no batch of the ledger")
        (unread,) = connection.execute(query("files_in_flight")).fetchone() or (0,)
        found.in_flight += unread
        found.sent += unread
        found.by_reason = dict(connection.execute(query("quarantine_by_reason")).fetchall())
    return found


def add_in_flight(found: Balance, topic: Topic, starts: dict[int, int], ends: dict[int, int]) -> None:
    """Add what the topic holds beyond what is booked to `in_flight` and `sent`.

    `starts`, `ends`: partition to its oldest and its end offset, read after the books, so that a batch committed
    in between isn't missed. A partition that was never read will be from its oldest record on.
    """
    for partition, end in ends.items():
        source = f"kafka:{topic.name}"
        waiting = end - found.positions.get((source, topic.topic_id, partition), starts[partition])
        if waiting < 0:
            found.differences.append(
                f"{source} partition {partition} ends {-waiting:,} records before what is booked: the broker lost them"
            )
        found.in_flight += max(0, waiting)
        found.sent += max(0, waiting)
