"""A batch: what one transaction will write. Pure.

Guarantee: each position between a partition's first and last is counted once: as an accepted event, a
rejected record, or a control record that holds none.
"""

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from ingestion.decode import Rejected, decode
from mercato.events import Envelope

NULL = b"\\N"  # in COPY's text format


@dataclass(slots=True)
class Range:
    """One partition's share: positions [first, next) taken, of which so many were records."""

    first: int
    next: int
    received: int = 0
    quarantined: int = 0
    size: int = 0  # bytes


class Accepted(NamedTuple):
    """A record that passed: its event's id, its COPY line without the batch's id, and when it occurred."""

    message_id: str
    line: bytes
    partition: int
    position: int
    raw: bytes
    occurred: datetime
    produced: int | None


@dataclass(frozen=True, slots=True)
class Reject:
    """A rejected record and where it lay."""

    partition: int
    position: int
    raw: bytes
    why: Rejected


@dataclass(slots=True)
class Batch:
    """Records of one source since `positions` (partition to next position)."""

    source: str
    source_uid: str
    positions: dict[int, int]
    max_record_bytes: int
    ranges: dict[int, Range] = field(default_factory=dict)
    accepted: list[Accepted] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    size: int = 0  # bytes

    def add(
        self, partition: int, position: int, raw: bytes | None, now: datetime, produced: int | None = None
    ) -> None:
        """Take one record; positions that were skipped on the way to it are control records.

        `produced`: when the broker got it, milliseconds since 1970, if it says so.
        """
        span = self.ranges.get(partition) or self._range(partition)
        if position < span.next:
            return  # read again after a rebalance: already counted
        raw = raw or b""
        span.next = position + 1
        span.received += 1
        span.size += len(raw)
        self.size += len(raw)
        event = decode(raw, now, self.max_record_bytes)
        if isinstance(event, Rejected):
            span.quarantined += 1
            self.rejects.append(Reject(partition, position, raw, event))
        else:
            line = copy_line(event, raw, partition, position)
            self.accepted.append(
                Accepted(event.messageId, line, partition, position, raw, event.timestamp, produced)
            )

    def reject(self, refused: dict[Accepted, str]) -> None:
        """Turn accepted records into rejected ones: the server refused to store them, in its words."""
        self.accepted = [one for one in self.accepted if one not in refused]
        for one, words in refused.items():
            self.ranges[one.partition].quarantined += 1
            why = Rejected("impossible_value", f"Postgres can't store it: {words}")
            self.rejects.append(Reject(one.partition, one.position, one.raw, why))

    def reach(self, partition: int, position: int) -> None:
        """Note that the partition holds no further record before `position`."""
        if position > self.positions[partition]:
            span = self._range(partition)
            span.next = max(span.next, position)

    def _range(self, partition: int) -> Range:
        if partition not in self.ranges:
            start = self.positions[partition]
            self.ranges[partition] = Range(start, start)
        return self.ranges[partition]

    @property
    def records(self) -> int:
        """Records taken, good and bad."""
        return len(self.accepted) + len(self.rejects)


def copy_line(event: Envelope, raw: bytes, partition: int, position: int) -> bytes:
    r"""The event as a line of Postgres' COPY text format, without the line's end; `raw` is what it was read from.

    Tab-separated, \N for null, backslash escapes:
    https://www.postgresql.org/docs/18/sql-copy.html#SQL-COPY-FILE-FORMATS-TEXT
    """
    # Only with these can a value hold what COPY wants escaped: JSON has no bare control characters in strings.
    plain = not (b"\\" in raw or b"\n" in raw or b"\t" in raw or b"\r" in raw)
    return b"%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%d\t%d" % (
        _text(event.messageId, plain),
        event.type.encode(),
        _text(event.event, plain),
        _text(event.userId, plain),
        _text(event.anonymousId, plain),
        _time(event.timestamp),
        _time(event.sentAt),
        _time(event.receivedAt),
        _json(event.context, plain),
        _json(event.properties, plain),
        _json(event.traits, plain),
        partition,
        position,
    )


def _escape(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\t", b"\\t").replace(b"\r", b"\\r")


def _text(value: str | None, plain: bool) -> bytes:
    if value is None:
        return NULL
    return value.encode() if plain else _escape(value.encode())


def _time(value: datetime | None) -> bytes:
    if value is None:
        return NULL
    if value.tzinfo is not UTC:  # Postgres takes no offset beyond 15:59
        with contextlib.suppress(OverflowError):  # of the years 1 and 9999: Postgres may judge
            value = value.astimezone(UTC)
    return value.isoformat().encode()


def _json(value: msgspec.Raw | msgspec.UnsetType, plain: bool) -> bytes:
    if value is msgspec.UNSET or (text := bytes(value)) == b"null":
        return NULL
    return text if plain else _escape(text)
