"""A batch: what one transaction will write. Pure.

Guarantee: each position between a partition's first and last is counted once: as an accepted event, a
rejected record, or a control record that holds none.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from ingestion.decode import Rejected, decode
from mercato.events import Envelope


@dataclass(slots=True)
class Range:
    """One partition's share: positions [first, next) taken, of which so many were records."""

    first: int
    next: int
    received: int = 0
    quarantined: int = 0
    size: int = 0  # bytes


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
    lines: list[bytes] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    raws: dict[tuple[int, int], bytes] = field(default_factory=dict)
    accepted: int = 0
    size: int = 0  # bytes

    def add(self, partition: int, position: int, raw: bytes | None, now: datetime) -> None:
        """Take one record; positions that were skipped on the way to it are control records."""
        span = self._range(partition)
        if position < span.next:
            return  # read again after a rebalance: already counted
        span.next = position + 1
        span.received += 1
        span.size += len(raw or b"")
        self.size += len(raw or b"")
        event = decode(raw, now, self.max_record_bytes)
        if isinstance(event, Rejected):
            span.quarantined += 1
            self.rejects.append(Reject(partition, position, raw or b"", event))
        else:
            self.lines.append(copy_line(event, len(self.lines), partition, position))
            self.raws[partition, position] = raw or b""
            self.accepted += 1

    def reject(self, late: Reject) -> None:
        """Turn an accepted record into a rejected one: the server refused to store it."""
        self.rejects.append(late)
        self.ranges[late.partition].quarantined += 1
        self.accepted -= 1

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
        return self.accepted + len(self.rejects)


def copy_line(event: Envelope, ordinal: int, partition: int, position: int) -> bytes:
    r"""The event as a line of Postgres' COPY text format: tab-separated, \N for null, backslash escapes.

    Format: https://www.postgresql.org/docs/18/sql-copy.html#SQL-COPY-FILE-FORMATS-TEXT
    """
    return b"\t".join(
        (
            b"%d" % ordinal,
            _escape(event.messageId.encode()),
            event.type.encode(),
            _text(event.event),
            _text(event.userId),
            _text(event.anonymousId),
            _time(event.timestamp),
            _time(event.sentAt),
            _time(event.receivedAt),
            _json(event.context),
            _json(event.properties),
            _json(event.traits),
            b"%d" % partition,
            b"%d\n" % position,
        )
    )


def _escape(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\t", b"\\t").replace(b"\r", b"\\r")


def _text(value: str | None) -> bytes:
    return b"\\N" if value is None else _escape(value.encode())


def _time(value: datetime | None) -> bytes:
    return b"\\N" if value is None else value.astimezone(UTC).isoformat().encode()


def _json(value: msgspec.Raw | msgspec.UnsetType) -> bytes:
    if value is msgspec.UNSET:
        return b"\\N"
    text = bytes(value)
    return b"\\N" if text == b"null" else _escape(text)
