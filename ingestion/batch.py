"""A batch: what one transaction will write. Pure.

Guarantee: each position between a partition's first and last is counted once: as an accepted event, a
rejected record, or a control record that holds none.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from ingestion.decode import Rejected, decode
from mercato.events import Envelope

NULL = b"\\N"  # in COPY's text format
_encode = msgspec.json.Encoder().encode


#: One record: partition, position, its bytes (None for a tombstone), and when the broker got it, ms since 1970.
#: A bare tuple: a named one costs five times as much to make.
Record = tuple[int, int, bytes | None, int | None]


@dataclass(slots=True)
class Range:
    """One partition's share: positions [first, next) taken, of which so many were records."""

    first: int
    next: int
    received: int = 0
    quarantined: int = 0
    size: int = 0  # bytes


class Accepted(NamedTuple):
    """A record that passed: its event's id, its COPY line without the batch's id, when it occurred, what it is."""

    message_id: str
    line: bytes
    partition: int
    position: int
    raw: bytes
    occurred: datetime
    produced: int | None
    received: datetime | None  # by the collector
    event: str  # of track; else page, identify


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
    #: Unknown properties of accepted records, counted.
    drift: dict[tuple[str, str, str], int] = field(default_factory=dict)
    size: int = 0  # bytes
    #: Partition to where the source ends, as far as is known.
    ends: dict[int, int] = field(default_factory=dict)

    def extend(self, records: Iterable[Record], now: datetime) -> None:
        """Take records in order, as `add` does."""
        # Asked of many at once: four searches through each record cost 0.6 us of its 6.
        plain = not _special(b"".join([value for _, _, value, _ in records if value]))
        for partition, position, value, produced in records:
            self.add(partition, position, value, now, produced, plain=plain)

    def add(
        self,
        partition: int,
        position: int,
        raw: bytes | None,
        now: datetime,
        produced: int | None = None,
        *,
        plain: bool = False,
    ) -> None:
        """Take one record; positions that were skipped on the way to it are control records.

        `produced`: when the broker got it, milliseconds since 1970, if it says so. `plain`: the record is known
        to hold nothing that COPY wants escaped.
        """
        span = self.ranges.get(partition) or self._range(partition)
        if position < span.next:
            return  # read again after a rebalance: already counted
        raw = raw or b""
        size = len(raw)
        span.next = position + 1
        span.received += 1
        span.size += size
        self.size += size
        event = decode(raw, now, self.max_record_bytes, self.drift)
        if isinstance(event, Rejected):
            span.quarantined += 1
            self.rejects.append(Reject(partition, position, raw, event))
        else:
            line = copy_line(event, partition, position, plain=plain or not _special(raw))
            name = event.event if event.type == "track" and event.event else event.type
            self.accepted.append(
                Accepted(
                    event.messageId,
                    line,
                    partition,
                    position,
                    raw,
                    event.timestamp,
                    produced,
                    event.receivedAt,
                    name,
                )
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


def copy_line(event: Envelope, partition: int, position: int, *, plain: bool) -> bytes:
    r"""The event as a line of Postgres' COPY text format, without the line's end.

    Tab-separated, \N for null, backslash escapes:
    https://www.postgresql.org/docs/18/sql-copy.html#SQL-COPY-FILE-FORMATS-TEXT
    `plain`: the record held none of backslash, tab, line feed and carriage return. JSON has none of them bare in
    a string, so no value can either.
    """
    if not plain:
        return _escaped_line(event, partition, position)
    # Written out: eleven calls a record cost a tenth of its decoding.
    name, user, visitor = event.event, event.userId, event.anonymousId
    sent, received = event.sentAt, event.receivedAt
    return b"%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%d\t%d" % (
        event.messageId.encode(),
        event.type.encode(),
        NULL if name is None else name.encode(),
        NULL if user is None else user.encode(),
        NULL if visitor is None else visitor.encode(),
        _time(event.timestamp),
        NULL if sent is None else _time(sent),
        NULL if received is None else _time(received),
        NULL if event.context is msgspec.UNSET else _json(event.context),
        NULL if event.properties is msgspec.UNSET else _json(event.properties),
        NULL if event.traits is msgspec.UNSET else _json(event.traits),
        partition,
        position,
    )


def _escaped_line(event: Envelope, partition: int, position: int) -> bytes:
    return b"%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%d\t%d" % (
        _text(event.messageId),
        event.type.encode(),
        _text(event.event),
        _text(event.userId),
        _text(event.anonymousId),
        _time(event.timestamp),
        NULL if event.sentAt is None else _time(event.sentAt),
        NULL if event.receivedAt is None else _time(event.receivedAt),
        _escaped_json(event.context),
        _escaped_json(event.properties),
        _escaped_json(event.traits),
        partition,
        position,
    )


def _special(text: bytes) -> bool:
    return b"\\" in text or b"\n" in text or b"\t" in text or b"\r" in text


def _text(value: str | None) -> bytes:
    return NULL if value is None else _escape(value.encode())


def _json(value: msgspec.Raw) -> bytes:
    return NULL if (text := bytes(value)) == b"null" else text


def _escaped_json(value: msgspec.Raw | msgspec.UnsetType) -> bytes:
    return NULL if value is msgspec.UNSET or (text := _json(value)) is NULL else _escape(text)


def _escape(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\t", b"\\t").replace(b"\r", b"\\r")


def _time(value: datetime) -> bytes:
    if value.tzinfo is not UTC:  # Postgres takes no offset beyond 15:59
        with contextlib.suppress(OverflowError):  # of the years 1 and 9999: Postgres may judge
            value = value.astimezone(UTC)
    return _encode(value)[1:-1]  # RFC 3339; six times as fast as isoformat
