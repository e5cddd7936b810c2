"""Bytes to an event, or to the reason why not. Pure: takes `now`, touches nothing.

Guarantee: never raises for any bytes; a bad record is a value. What passes here is storable, but for JSON
that only the server can judge (a number too large for numeric, a NUL in a nested string): see warehouse.py.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from mercato.events import TRACK, TYPES, VERSION, WITHOUT_USER, Envelope

#: A client's clock may be ahead by this much; more is quarantined as future_clock.
CLOCK_TOLERANCE = timedelta(hours=24)

_envelope = msgspec.json.Decoder(Envelope)
_properties = {name: msgspec.json.Decoder(shape) for name, shape in TRACK.items()}
# The text of msgspec's ValidationError tells a broken bound from a wrong type, nothing else does.
_OUT_OF_BOUNDS = re.compile(r"Expected `\w+` (>|<|of length|matching|with a timezone)")


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a record can't be loaded: `reason` from a fixed set, `detail` for people."""

    reason: str
    detail: str
    contract_version: int = VERSION


def decode(raw: bytes | None, now: datetime, max_bytes: int) -> Envelope | Rejected:
    """Decode and check one record.

    Returns the envelope, its nested objects left as the sender's JSON text, or a `Rejected` with one of the
    reasons too_large, not_utf8, not_json, unknown_event, missing_property, wrong_type, impossible_value,
    future_clock.
    """
    if not raw:
        return Rejected("not_json", "the record is empty")
    if len(raw) > max_bytes:
        return Rejected("too_large", f"{len(raw)} bytes, {max_bytes} are allowed")
    try:
        raw.decode()  # msgspec skips over nested objects without looking at their encoding
        event = _envelope.decode(raw)
        if event.type == "track":
            if event.event not in _properties:
                return Rejected("unknown_event", f"event {event.event!r} is not in the contract")
            _properties[event.event].decode(b"{}" if event.properties is msgspec.UNSET else event.properties)
    except UnicodeDecodeError as error:
        return Rejected("not_utf8", f"byte {error.start}: {error.reason}")
    except msgspec.ValidationError as error:
        return _defect(str(error))
    except (msgspec.DecodeError, RecursionError) as error:
        return Rejected("not_json", str(error))
    return _whole(event, raw, now)


def _whole(event: Envelope, raw: bytes, now: datetime) -> Envelope | Rejected:
    if event.type not in TYPES:
        return Rejected("unknown_event", f"type {event.type!r} is not one of {', '.join(TYPES)}")
    if event.userId is None and event.anonymousId is None and event.event not in WITHOUT_USER:
        return Rejected("missing_property", "neither userId nor anonymousId")
    for name in ("properties", "context", "traits"):
        nested = getattr(event, name)
        if nested is not msgspec.UNSET and bytes(nested)[:1] not in (b"{", b"n"):  # an object or null
            return Rejected("wrong_type", f"{name} is no object")
    if b"\\u0000" in raw and "\0" in f"{event.messageId}{event.event}{event.userId}{event.anonymousId}":
        return Rejected("impossible_value", "an id holds a NUL character, which Postgres can't store")
    if event.timestamp > now + CLOCK_TOLERANCE:
        return Rejected("future_clock", f"timestamp {event.timestamp.isoformat()} is in the future")
    return event


def _defect(words: str) -> Rejected:
    if "missing required field" in words:
        return Rejected("missing_property", words)
    if _OUT_OF_BOUNDS.search(words):
        return Rejected("impossible_value", words)
    return Rejected("wrong_type", words)
