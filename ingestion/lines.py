"""An event as a line of Postgres' COPY text format. Pure.

Guarantee: a line holds one event, whatever its texts hold, and its JSON as the sender wrote it.
"""

import msgspec
from msgspec import UNSET, Raw, UnsetType

from mercato.events import Envelope

NULL = b"\\N"
_NULL = NULL.decode()
_encode = msgspec.json.Encoder().encode


def special(text: bytes) -> bool:
    """Whether it holds what COPY wants escaped."""
    return b"\\" in text or b"\n" in text or b"\t" in text or b"\r" in text


def copy_line(event: Envelope, partition: int, position: int, *, plain: bool) -> bytes:
    r"""The event as a line of Postgres' COPY text format, without the line's end.

    Tab-separated, \N for null, backslash escapes:
    https://www.postgresql.org/docs/18/sql-copy.html#SQL-COPY-FILE-FORMATS-TEXT
    `plain`: the record held none of backslash, tab, line feed and carriage return. JSON has none of them bare in
    a string, so no value can either.
    """
    if not plain:
        return _escaped_line(event, partition, position)
    # One text and one join: a format with eleven values of its own took twice as long.
    name, user, visitor = event.event, event.userId, event.anonymousId
    sent, received = event.sentAt, event.receivedAt
    words = (
        f"{event.messageId}\t{event.type}\t{_NULL if name is None else name}"
        f"\t{_NULL if user is None else user}\t{_NULL if visitor is None else visitor}"
    )
    return b"\t".join(
        (
            words.encode(),
            _encode(event.timestamp)[1:-1],  # RFC 3339; six times as fast as isoformat
            NULL if sent is None else _encode(sent)[1:-1],
            NULL if received is None else _encode(received)[1:-1],
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
        _encode(event.timestamp)[1:-1],
        NULL if event.sentAt is None else _encode(event.sentAt)[1:-1],
        NULL if event.receivedAt is None else _encode(event.receivedAt)[1:-1],
        _escaped_json(event.context),
        _escaped_json(event.properties),
        _escaped_json(event.traits),
        partition,
        position,
    )


def _text(value: str | None) -> bytes:
    return NULL if value is None else _escape(value.encode())


def _json(value: Raw) -> bytes | Raw:
    return NULL if len(value) == 4 and bytes(value) == b"null" else value


def _escaped_json(value: Raw | UnsetType) -> bytes:
    return NULL if value is UNSET or (text := _json(value)) is NULL else _escape(bytes(text))


def _escape(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\t", b"\\t").replace(b"\r", b"\\r")
