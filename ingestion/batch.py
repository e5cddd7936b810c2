"""A batch: what one transaction will write. Pure.

Guarantee: each position between a partition's first and last is counted once: as an accepted event, a
rejected record, or a control record that holds none.
"""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, Raw, UnsetType

from ingestion.decode import Rejected, decode
from mercato.events import Envelope

NULL = b"\\N"  # in COPY's text format
_NULL = NULL.decode()
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


class Accepted(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A record that passed: its event's id, its COPY line without the batch's id, when it occurred, what it is.

    A struct of msgspec takes a quarter of the time of a named tuple to make.
    """

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
    #: Partition to where the source ends, as far as is known.
    ends: dict[int, int] = field(default_factory=dict)

    def add(
        self, partition: int, position: int, raw: bytes | None, now: datetime, produced: int | None = None
    ) -> None:
        """Take one record, as `extend` does.

        `produced`: when the broker got it, milliseconds since 1970, if it says so.
        """
        self.extend([(partition, position, raw, produced)], now)

    def extend(self, records: Collection[Record], now: datetime) -> None:
        """Take records in order; positions that were skipped on the way to one are control records."""
        # Asked of many at once: four searches through each record cost 0.6 us of its 6.
        all_plain = not _special(b"".join([value for _, _, value, _ in records if value]))
        for partition, position, value, produced in records:
            span = self.ranges.get(partition) or self._range(partition)
            if position < span.next:
                continue  # read again after a rebalance: already counted
            raw = value or b""
            span.next = position + 1
            span.received += 1
            span.size += len(raw)
            plain = all_plain or not _special(raw)
            event = decode(raw, now, self.max_record_bytes, self.drift, plain=plain)
            if isinstance(event, Rejected):
                span.quarantined += 1
                self.rejects.append(Reject(partition, position, raw, event))
                continue
            line = copy_line(event, partition, position, plain=plain)
            name = event.event if event.type == "track" and event.event else event.type
            self.accepted.append(
                Accepted(event.messageId, line, partition, position, raw, event.timestamp, produced,
                         event.receivedAt, name)
            )  # fmt: skip

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
    def size(self) -> int:
        """Bytes taken."""
        return sum(span.size for span in self.ranges.values())

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
    # One text and one join: a format with eleven values of its own took three times as long.
    name, user, visitor = event.event, event.userId, event.anonymousId
    sent, received = event.sentAt, event.receivedAt
    words = (
        f"{event.messageId}\t{event.type}\t{_NULL if name is None else name}"
        f"\t{_NULL if user is None else user}\t{_NULL if visitor is None else visitor}"
    )
    return b"\t".join(
        (
            words.encode(),
            _time(event.timestamp),
            NULL if sent is None else _time(sent),
            NULL if received is None else _time(received),
            NULL if event.context is UNSET else _json(event.context),
            NULL if event.properties is UNSET else _json(event.properties),
            NULL if event.traits is UNSET else _json(event.traits),
            b"%d\t%d" % (partition, position),
        )
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


def _json(value: Raw) -> bytes | Raw:
    return NULL if len(value) == 4 and bytes(value) == b"null" else value


def _escaped_json(value: Raw | UnsetType) -> bytes:
    return NULL if value is UNSET or (text := _json(value)) is NULL else _escape(bytes(text))


def _escape(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\t", b"\\t").replace(b"\r", b"\\r")


def _time(value: datetime) -> bytes:
    if value.tzinfo is not UTC:  # Postgres takes no offset beyond 15:59
        with contextlib.suppress(OverflowError):  # of the years 1 and 9999: Postgres may judge
            value = value.astimezone(UTC)
    return _encode(value)[1:-1]  # RFC 3339; six times as fast as isoformat
