"""Quarantined records through the door again, by today's contract.

Guarantee: each record leaves quarantine at most once, whoever is killed whenever and however many replays run.
One transaction a chunk locks its rows, writes those that pass as a batch of the source `quarantine`, marks them
loaded or duplicate, and gives the others the reason of today. A dry run judges by the same code in a read-only
transaction. Memory: one chunk, closed by rows or bytes as a batch is; a dry run also keeps the ids that would load.
Run alone: `mercato replay --dry-run`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from ingestion.batch import Batch
from ingestion.decode import Rejected, decode
from ingestion.sql import query
from ingestion.warehouse import positions, write_batch
from mercato.errors import MercatoError
from mercato.events import Envelope
from mercato.postgres import Connection
from mercato.settings import Ingestion

#: What replays are booked under: one partition, its positions their running count.
SOURCE, SOURCE_UID, PARTITION = "quarantine", "replay", 0
LOADED, DUPLICATE = "loaded", "duplicate"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which waiting records: all, or those that fit everything given. Times are of their first arrival."""

    reasons: tuple[str, ...] = ()
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None  # exclusive
    limit: int | None = None  # records


@dataclass(slots=True)
class Outcome:
    """Records by what they were quarantined as and what they are now: loaded, duplicate, or a reason."""

    became: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: The detail of the first record that stays for each such pair.
    examples: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def tried(self) -> int:
        """Records looked at."""
        return self.became.total()

    def now(self, fate: str) -> int:
        """Records that are this now."""
        return sum(count for (_, now), count in self.became.items() if now == fate)


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    reason: str
    raw: bytes
    first_seen_at: datetime


#: A row that passes, with its event.
_Passed = tuple[_Row, Envelope]
_Judged = list[tuple[_Row, Envelope | Rejected]]


def replay(
    connection: Connection,
    chosen: Selection,
    limits: Ingestion,
    *,
    dry_run: bool = False,
    on_chunk: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Replay what was waiting at the start; the connection must be in autocommit mode.

    With `dry_run` nothing is written, and the outcome is what a replay would do to the same warehouse.
    `on_chunk` hears the outcome so far after each chunk is committed.

    Raises:
        what `write_batch` raises, but for Fenced: chunks that were committed stay so.
    """
    outcome = Outcome()
    foreseen: set[str] = set()
    with _read_only(connection) if dry_run else nullcontext():
        (end,) = connection.execute(query("replay_end")).fetchone() or (0,)
        after = 0
        while chosen.limit is None or outcome.tried < chosen.limit:
            with connection.transaction():
                ids = _next(connection, chosen, limits, after, end, outcome.tried)
                if not ids:
                    break
                judged = _judge(connection, _rows(connection, ids, lock=not dry_run), limits)
                passed = [(row, found) for row, found in judged if isinstance(found, Envelope)]
                if dry_run:
                    states = _foresee(connection, passed, foreseen)
                else:
                    _keep(connection, judged)
                    states = _write(connection, passed, limits)
            _note(outcome, judged, states)
            after = ids[-1]
            on_chunk(outcome)
    return outcome


def sources(connection: Connection) -> list[str]:
    """The sources whose records may be in quarantine."""
    return [source for (source,) in connection.execute(query("replay_sources")).fetchall()]


@contextmanager
def _read_only(connection: Connection) -> Iterator[None]:
    """One snapshot, in which Postgres refuses every write."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        yield


def _next(
    connection: Connection, chosen: Selection, limits: Ingestion, after: int, end: int, tried: int
) -> list[int]:
    rows = limits.batch_rows if chosen.limit is None else min(limits.batch_rows, chosen.limit - tried)
    wanted = {
        "after": after, "end": end, "rows": rows, "bytes": limits.batch_bytes,
        "reasons": list(chosen.reasons) or None, "source": chosen.source,
        "since": chosen.since, "until": chosen.until,
    }  # fmt: skip
    (ids,) = connection.execute(query("replay_next"), wanted).fetchone() or (None,)
    return ids or []


def _rows(connection: Connection, ids: list[int], *, lock: bool) -> list[_Row]:
    found = connection.execute(query("replay_take" if lock else "replay_read"), {"ids": ids}).fetchall()
    return [_Row(number, reason, bytes(raw), at) for number, reason, raw, at in found]


def _judge(connection: Connection, rows: list[_Row], limits: Ingestion) -> _Judged:
    """Decode each record, and ask the server about the JSON of those that pass.

    A clock is judged by when the record came: one that ran ahead doesn't become right by waiting.
    """
    judged: _Judged = [(row, decode(row.raw, row.first_seen_at, limits.max_record_bytes)) for row in rows]
    passed = [(at, found) for at, (_, found) in enumerate(judged) if isinstance(found, Envelope)]
    texts = {
        name: [_text(getattr(event, name)) for _, event in passed]
        for name in ("context", "properties", "traits")
    }
    for number, message in connection.execute(query("replay_refused"), texts).fetchall():
        at, _ = passed[number]
        judged[at] = judged[at][0], Rejected("impossible_value", f"Postgres can't store it: {message}")
    return judged


def _text(nested: msgspec.Raw | msgspec.UnsetType) -> str | None:
    return None if nested is msgspec.UNSET else bytes(nested).decode()


def _foresee(connection: Connection, passed: list[_Passed], foreseen: set[str]) -> list[str]:
    """What a replay would make of each; `foreseen` collects the ids that it would have loaded by then."""
    ids = [event.messageId for _, event in passed]
    known = {name for (name,) in connection.execute(query("replay_known"), {"ids": ids}).fetchall()}
    states = []
    for name in ids:
        states.append(DUPLICATE if name in known or name in foreseen else LOADED)
        foreseen.add(name)
    return states


def _keep(connection: Connection, judged: _Judged) -> None:
    """Leave what fails where it is, with the reason of today."""
    failed = [(row.id, why) for row, why in judged if isinstance(why, Rejected)]
    connection.execute(
        query("replay_fail"),
        {
            "ids": [number for number, _ in failed],
            "reasons": [why.reason for _, why in failed],
            "details": [why.detail for _, why in failed],
            "versions": [why.contract_version for _, why in failed],
        },
    )


def _write(connection: Connection, passed: list[_Passed], limits: Ingestion) -> list[str]:
    """Write what passes as one batch and settle its rows; what each became, loaded or duplicate."""
    if not passed:
        return []
    # Locks the position: another replay that is as far waits here until this one has committed.
    first = positions(connection, SOURCE, SOURCE_UID, [PARTITION])[PARTITION]
    batch = Batch(SOURCE, SOURCE_UID, {PARTITION: first}, limits.max_record_bytes)
    for position, (row, _) in enumerate(passed, first):
        batch.add(PARTITION, position, row.raw, row.first_seen_at)
    if write_batch(connection, batch).quarantined:  # it would be in quarantine twice: roll back
        raise MercatoError(
            f"Postgres refused a record that it had accepted: {batch.rejects[0].why.detail}",
            "none of this chunk was written; please report it, with the record",
        )
    where = {"source": SOURCE, "source_uid": SOURCE_UID, "partition": PARTITION, "first": first}
    batch_id, new = connection.execute(query("replay_written"), where).fetchone() or (None, [])
    loaded = set(new)
    states = [LOADED if position in loaded else DUPLICATE for position in range(first, first + len(passed))]
    connection.execute(
        query("replay_settle"),
        {"batch_id": batch_id, "ids": [row.id for row, _ in passed], "states": states},
    )
    return states


def _note(outcome: Outcome, judged: _Judged, states: list[str]) -> None:
    state = iter(states)
    for row, found in judged:
        if isinstance(found, Rejected):
            outcome.became[row.reason, found.reason] += 1
            outcome.examples.setdefault((row.reason, found.reason), found.detail)
        else:
            outcome.became[row.reason, next(state)] += 1
