"""Writes a batch in one transaction. The guarantee, step by step:

1. Claim the events' ids: those that were never there before are new, the others are duplicates.
2. Copy the new events. If the server refuses some, they are found by halves; undo 1 and 2, take them out as
   rejects, and do both again.
3. Wait until the batch ahead, which another connection may still be writing, is committed. An id that both hold
   was left to it; if the server refused it there, undo all and begin again.
4. Move every position the batch touches from where the batch began to where it ends. If one is elsewhere,
   another worker was here: roll back, nothing is written (`Fenced`).
5. Insert the rejected records with their bytes and reasons, and a ledger row for each partition; the table refuses
   one that doesn't balance. Count events, delays and drift.
6. Commit. A crash anywhere before leaves nothing; the batch is read again from the old positions.
"""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime

from ingestion import delays, drift
from ingestion.batch import Batch
from ingestion.claims import CollisionError, claim
from ingestion.records import Accepted, Reject
from ingestion.sql import query
from mercato.errors import Fenced
from mercato.postgres import BadInput, Busy, Connection, Deadlock

LINES_A_WRITE = 50  # some 25 kB: memory that is used again at once
#: Milliseconds until a batch that waits for a lock lets go of its own and begins again; by chance between these, so
#: that two don't keep step.
LOCK_TIMEOUT = (1_000, 3_000)


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


@dataclass(frozen=True, slots=True)
class Ahead:
    """A batch whose commit another must not overtake: its ids as they were sent, and what will come of it."""

    batch: Batch
    ids: frozenset[str]
    written: "Future[Written]"


def positions(
    connection: Connection,
    source: str,
    source_uid: str,
    partitions: list[int],
    starts: dict[int, int] | None = None,
) -> dict[int, int]:
    """Where each partition continues.

    One that was never read begins at its oldest record by `starts`, else at 0. Those of `starts` are noted all:
    one that waits for its first reader must not begin later than it does now.
    """
    first = starts or dict.fromkeys(partitions, 0)
    keys = {"source": source, "source_uid": source_uid}
    with connection.transaction():
        connection.execute(
            query("new_positions"), {**keys, "partitions": list(first), "starts": list(first.values())}
        )
        return dict(
            connection.execute(query("read_positions"), {**keys, "partitions": partitions}).fetchall()
        )


def write_batch(connection: Connection, batch: Batch, ahead: Ahead | None = None) -> Written:
    """Write the batch and commit, after the one ahead.

    Raises:
        Fenced: another worker moved a position; nothing was written.
        what the batch ahead raised; nothing was written.
    """
    while True:
        try:
            return _write(connection, batch, ahead)
        # With a worker that claimed some of the same ids. The server sees a deadlock of transactions, but not one
        # that goes through a batch which waits in here for the one ahead: whoever waits for long lets go.
        except (Deadlock, Busy, CollisionError):
            continue


def _write(connection: Connection, batch: Batch, ahead: Ahead | None) -> Written:
    source = {"source": batch.source, "source_uid": batch.source_uid}
    with connection.transaction():
        # The transaction id must be older than the batch id: readers stop below the oldest that is open.
        patience = random.randint(*LOCK_TIMEOUT)  # noqa: S311 - no secret
        connection.execute(query("begin_batch"), {"lock_timeout": f"{patience}ms"})
        row = connection.execute(query("next_batch")).fetchone()
        batch_id = row[0] if row else 0
        left = ahead.ids if ahead and not ahead.written.done() else frozenset[str]()
        duplicates = _insert_events(connection, batch, batch_id, left)
        left_out = [batch.accepted[place] for place in duplicates]
        counts, prices = batch.tally.without(left_out).parameters()
        if ahead:
            ahead.written.result()
            if left and not _has(ahead.batch, left, batch):
                raise CollisionError
        _move_positions(connection, batch, source)
        doubled = Counter(one.partition for one in left_out)
        keys = {**source, "batch_id": batch_id}
        with connection.cursor() as cursor:
            cursor.executemany(
                query("insert_quarantine"), [_quarantined(reject) | keys for reject in batch.rejects]
            )
            cursor.executemany(
                query("insert_ledger"), [_booked(batch, part, doubled[part]) | keys for part in batch.ranges]
            )
            cursor.executemany(query("count_delays"), _delays(batch))
        if counts["hours"]:
            where = {"source": batch.source, "partition": min(batch.ranges)}
            connection.execute(query("count_events"), where | counts)
            if prices["hours"]:
                connection.execute(query("count_prices"), where | prices)
        if batch.drift:
            found = {"source": batch.source, "partition": min(batch.ranges), **drift.parameters(batch.drift)}
            connection.execute(query("record_drift"), found)
    loaded = len(batch.accepted) - len(duplicates)
    return Written(batch.records, loaded, len(duplicates), len(batch.rejects))


def _has(ahead: Batch, left: frozenset[str], batch: Batch) -> bool:
    """Whether the batch ahead still has every id that was left to it."""
    return left & batch.ids.keys() <= ahead.ids.keys()


def _move_positions(connection: Connection, batch: Batch, source: dict[str, str]) -> None:
    moved = connection.execute(
        query("move_positions"),
        {
            **source,
            "partitions": list(batch.ranges),
            "expected": [span.first for span in batch.ranges.values()],
            "next": [span.next for span in batch.ranges.values()],
            "ends": [batch.ends.get(part, span.next) for part, span in batch.ranges.items()],
        },
    ).rowcount
    if moved != len(batch.ranges):
        raise Fenced(f"{batch.source} partitions {sorted(batch.ranges)}")


class _RefusedError(Exception):
    """Undoes the claims of a batch that holds records which the server refuses."""

    def __init__(self, records: dict[Accepted, str]) -> None:
        self.records = records


def _insert_events(connection: Connection, batch: Batch, batch_id: int, left: frozenset[str]) -> set[int]:
    """Insert the events whose id is new; the places of the others. Refused ones become rejects."""
    while batch.accepted:
        try:
            with connection.transaction():
                duplicates = claim(connection, batch, batch_id, left)
                places = range(len(batch.accepted))
                refused = dict(_copy_by_halves(connection, batch.accepted, places, duplicates, batch_id))
                if refused:
                    raise _RefusedError(refused)
            return duplicates
        except _RefusedError as error:
            # Their ids are free again: of two records with one id the later may be good where the first isn't.
            batch.reject(error.records)
    return set()


def _copy_by_halves(
    connection: Connection, events: list[Accepted], places: range, without: set[int], batch_id: int
) -> Iterator[tuple[Accepted, str]]:
    """Copy the events of these places; where the server refuses some, halve until each is found, with its words."""
    end = b"\t%d\n" % batch_id
    try:
        with (
            connection.transaction(),
            connection.cursor() as cursor,
            cursor.copy(query("copy_events")) as copy,
        ):
            for start in range(0, len(places), LINES_A_WRITE):
                lines = [events[at].line for at in places[start : start + LINES_A_WRITE] if at not in without]
                copy.write(end.join([*lines, b""]))
    except BadInput as error:
        if len(places) == 1:
            yield events[places[0]], str(error).splitlines()[0]
            return
        middle = len(places) // 2
        yield from _copy_by_halves(connection, events, places[:middle], without, batch_id)
        yield from _copy_by_halves(connection, events, places[middle:], without, batch_id)


def _quarantined(reject: Reject) -> dict[str, object]:
    return {
        "reason": reject.why.reason,
        "detail": reject.why.detail,
        "raw": reject.raw,
        "partition": reject.partition,
        "position": reject.position,
        "contract_version": reject.why.contract_version,
    }


def _booked(batch: Batch, partition: int, duplicates: int) -> dict[str, object]:
    span = batch.ranges[partition]
    return {
        "partition": partition,
        "first": span.first,
        "last": span.next - 1,
        "received": span.received,
        "loaded": span.received - span.quarantined - duplicates,
        "duplicate": duplicates,
        "quarantined": span.quarantined,
        "control": span.next - span.first - span.received,
        "bytes": span.size,
    }


def _delays(batch: Batch) -> list[dict[str, object]]:
    weight = max(1, len(batch.accepted) // delays.SAMPLE)
    now = datetime.now(UTC)
    # Of a stream only: files and replays are no measure of how fresh the warehouse is.
    sample = [one for one in batch.accepted[::weight] if one.produced is not None]
    found = {
        "produced": [now.timestamp() * 1000 - (one.produced or 0) for one in sample],
        "occurred": [(now - one.occurred).total_seconds() * 1000 for one in sample],
    }
    return [
        {"stage": stage, "counts": delays.counts(milliseconds, weight)}
        for stage, milliseconds in found.items()
        if sample
    ]
