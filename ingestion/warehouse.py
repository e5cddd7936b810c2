"""Writes a batch in one transaction. The guarantee, step by step:

1. Move every position the batch touches from where the batch began to where it ends. If one is elsewhere,
   another worker was here: roll back, nothing is written (`Fenced`).
2. Copy the accepted events to a temporary table and insert those whose messageId is new.
3. If the server refuses a value, undo step 2, take the refused rows out as rejects, and do it again.
4. Insert the rejected records with their bytes and reasons.
5. Insert a ledger row for each partition; the table refuses one that doesn't balance.
6. Commit. A crash anywhere before leaves nothing; the batch is read again from the old positions.
"""

from dataclasses import dataclass

from ingestion.batch import Batch, Reject
from ingestion.decode import Rejected
from ingestion.sql import query
from mercato.errors import Fenced
from mercato.postgres import BadInput, Connection


@dataclass(frozen=True, slots=True)
class Written:
    """What a committed batch, or several added up, did, in records."""

    received: int
    loaded: int
    duplicate: int
    quarantined: int

    def __add__(self, other: "Written") -> "Written":
        return Written(
            self.received + other.received,
            self.loaded + other.loaded,
            self.duplicate + other.duplicate,
            self.quarantined + other.quarantined,
        )

    def __str__(self) -> str:
        return (
            f"{self.received:,} received = {self.loaded:,} loaded + {self.duplicate:,} duplicate "
            f"+ {self.quarantined:,} quarantined"
        )


def positions(connection: Connection, source: str, source_uid: str, partitions: list[int]) -> dict[int, int]:
    """Where each partition continues; 0 where it was never read."""
    keys = {"source": source, "source_uid": source_uid, "partitions": partitions}
    with connection.transaction():
        connection.execute(query("new_positions"), keys)
        return dict(connection.execute(query("read_positions"), keys).fetchall())


def write_batch(connection: Connection, batch: Batch) -> Written:
    """Write the batch and commit.

    Raises:
        Fenced: another worker moved a position; nothing was written.
    """
    source = {"source": batch.source, "source_uid": batch.source_uid}
    with connection.transaction():
        _move_positions(connection, batch, source)
        row = connection.execute(query("next_batch")).fetchone()
        keys = {**source, "batch_id": row[0] if row else None}
        try:
            with connection.transaction():
                loaded = _insert_events(connection, batch, keys, take_unstorable=False)
        except BadInput:
            loaded = _insert_events(connection, batch, keys, take_unstorable=True)
        with connection.cursor() as cursor:
            cursor.executemany(
                query("insert_quarantine"), [_quarantined(reject) | keys for reject in batch.rejects]
            )
            cursor.executemany(
                query("insert_ledger"), [_booked(batch, part, loaded) | keys for part in batch.ranges]
            )
    return Written(
        batch.records, sum(loaded.values()), batch.accepted - sum(loaded.values()), len(batch.rejects)
    )


def _move_positions(connection: Connection, batch: Batch, source: dict[str, str]) -> None:
    # The transaction id must be older than the batch id: this first write assigns it.
    moved = connection.execute(
        query("move_positions"),
        {
            **source,
            "partitions": list(batch.ranges),
            "expected": [span.first for span in batch.ranges.values()],
            "next": [span.next for span in batch.ranges.values()],
        },
    ).rowcount
    if moved != len(batch.ranges):
        raise Fenced(f"{batch.source} partitions {sorted(batch.ranges)}")


def _insert_events(
    connection: Connection, batch: Batch, keys: dict[str, object], *, take_unstorable: bool
) -> dict[int, int]:
    """Insert the events; returns how many were new by partition. Refused ones become rejects of the batch."""
    connection.execute(query("create_incoming"))
    with connection.cursor() as cursor:
        with cursor.copy(query("copy_incoming")) as copy:
            copy.write(b"".join(batch.lines))
        if take_unstorable:
            for partition, position, message in cursor.execute(query("take_unstorable")).fetchall():
                why = Rejected("impossible_value", f"Postgres can't store it: {message}")
                batch.reject(Reject(partition, position, batch.raws[partition, position], why))
        return dict(cursor.execute(query("insert_events"), keys).fetchall())


def _quarantined(reject: Reject) -> dict[str, object]:
    return {
        "reason": reject.why.reason,
        "detail": reject.why.detail,
        "raw": reject.raw,
        "partition": reject.partition,
        "position": reject.position,
        "contract_version": reject.why.contract_version,
    }


def _booked(batch: Batch, partition: int, loaded: dict[int, int]) -> dict[str, object]:
    span = batch.ranges[partition]
    new = loaded.get(partition, 0)
    return {
        "partition": partition,
        "first": span.first,
        "last": span.next - 1,
        "received": span.received,
        "loaded": new,
        "duplicate": span.received - span.quarantined - new,
        "quarantined": span.quarantined,
        "control": span.next - span.first - span.received,
        "bytes": span.size,
    }
