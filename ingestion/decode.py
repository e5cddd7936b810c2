"""Bytes to an event, or to the reason why not. Pure: takes `now`, touches nothing.

Guarantee: never raises for any bytes; a bad record is a value. What passes here is storable, but for JSON
that only the server can judge, which goes to quarantine as impossible_value when the batch is written
(warehouse.py). What happens to odd records, each tested (tests/fixtures/bad_events.ndjson):

    record                                                fate
    empty, a tombstone; too long                          not_json; too_large
    bytes that are not UTF-8, anywhere                    not_utf8
    cut, two values, NaN, nested deeper than the stack    not_json
    a lone surrogate (\\ud800), anywhere                  not_json
    an id that is empty, over 255 letters, or with a NUL  impossible_value
    a known number out of bounds or beyond 1e308          impossible_value
    a time without zone, or in no year of UTC             impossible_value
    1e-400 as an amount                                   loaded as it was sent, a 0 to floats
    a key twice                                           loaded, each is checked, the last one counts
    a name that the contract doesn't know                 loaded, and counted as drift
    in other places: 1e400, 20 digits, deep nesting       loaded as it was sent
    in other places: a NUL, or a number that has more     impossible_value, by the server
      than 131,072 digits before or 16,383 after the point
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from ingestion.drift import Drift, Found, Names, names, note, strict, unknown
from mercato.events import TRACK, TYPES, VERSION, WITHOUT_USER, Call, Envelope
from mercato.shapes import Page, Traits

#: A client's clock may be ahead by this much; more is quarantined as future_clock.
CLOCK_TOLERANCE = timedelta(hours=24)

# The text of msgspec's ValidationError tells a broken bound from a wrong type, nothing else does.
_OUT_OF_BOUNDS = re.compile(r"Expected `\w+` (>|<|of length|matching|with a timezone)|out of range")


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a record can't be loaded: `reason` from a fixed set, `detail` for people."""

    reason: str
    detail: str
    contract_version: int = VERSION


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the body of one event, or of one type of call, is checked."""

    name: str
    strict: Callable[[Raw], object]
    lenient: Callable[[Raw], object]
    known: Names


def _kind(name: str, shape: type[Struct], *, null: bool = False) -> _Kind:
    narrow, wide = (msgspec.json.Decoder(one | None if null else one) for one in (strict(shape), shape))
    return _Kind(name, narrow.decode, wide.decode, names(shape))


_TRACK: dict[str | None, _Kind] = {name: _kind(name, shape) for name, shape in TRACK.items()}
_PAGE = _kind("page", Page, null=True)
_IDENTIFY = _kind("identify", Traits, null=True)
_OTHERS = {"page": _PAGE, "identify": _IDENTIFY}
_strict_call: Callable[[bytes], Call] = msgspec.json.Decoder(strict(Call)).decode  # type: ignore[assignment]
_lenient_call = msgspec.json.Decoder(Call).decode
_CALL_NAMES = names(Call)
_EMPTY = Raw(b"{}")
_OBJECT_OR_NULL = b"{n"


def decode(
    raw: bytes | None, now: datetime, max_bytes: int, drift: Drift | None = None, *, plain: bool = False
) -> Envelope | Rejected:
    """Decode and check one record.

    Returns the envelope, its times in UTC, its nested objects left as the sender's JSON text, or a `Rejected` with
    one of the reasons too_large, not_utf8, not_json, unknown_event, missing_property, wrong_type, impossible_value,
    future_clock. The unknown properties of an accepted record are counted in `drift`, if that is given.
    `plain`: the record is known to hold no backslash, so no escaped NUL either.
    """
    if not raw:
        return Rejected("not_json", "the record is empty")
    if len(raw) > max_bytes:
        return Rejected("too_large", f"{len(raw)} bytes, {max_bytes} are allowed")
    found: Found = set()
    try:
        if not raw.isascii():
            raw.decode()  # msgspec skips over nested objects without looking at their encoding
        try:  # strictly first: nearly every record is without drift, and decoded once
            event = _strict_call(raw)
        except msgspec.ValidationError:
            event = _lenient_call(raw)
            found = unknown(Raw(raw), _CALL_NAMES, "")
        track = event.type == "track"
        kind = _TRACK.get(event.event) if track else _OTHERS.get(event.type)
        if kind is None:
            return _unlisted(event)
        body = event.properties if kind is not _IDENTIFY else event.traits
        if body is UNSET:
            body = _EMPTY
        try:
            kind.strict(body)
        except msgspec.ValidationError:
            found = found | _unknown_in(body, kind)
            kind.lenient(body)
    except UnicodeDecodeError as error:
        return Rejected("not_utf8", f"byte {error.start}: {error.reason}")
    except msgspec.ValidationError as error:
        return _defect(str(error), found)
    except (msgspec.DecodeError, RecursionError) as error:
        return Rejected("not_json", str(error))
    moment, sent, received, context = event.timestamp, event.sentAt, event.receivedAt, event.context
    ordinary = (
        plain
        and track
        and (event.anonymousId is not None or event.userId is not None)
        and moment.tzinfo is UTC
        and moment <= now
        and (sent is None or sent.tzinfo is UTC)
        and (received is None or received.tzinfo is UTC)
        and (context is UNSET or bytes(context)[0] in _OBJECT_OR_NULL)
        and event.traits is UNSET
    )
    if not ordinary:  # nearly every record is
        if flaw := _flaw(event, kind, now):
            return flaw
        event.timestamp = moment.astimezone(UTC)  # Postgres takes no offset beyond 15:59
        event.sentAt = sent and sent.astimezone(UTC)
        event.receivedAt = received and received.astimezone(UTC)
    if kind is _PAGE and event.name is not UNSET:
        event.properties = _named(event.name, event.properties)
    if found and drift is not None:
        note(drift, kind.name, found)
    return event


def _flaw(event: Call, kind: _Kind, now: datetime) -> Rejected | None:
    """What no decoder sees."""
    anonymous, user, moment = event.anonymousId, event.userId, event.timestamp
    if anonymous is None and user is None and event.event not in WITHOUT_USER:
        return Rejected("missing_property", "neither userId nor anonymousId")
    if event.context is not UNSET and bytes(event.context)[0] not in _OBJECT_OR_NULL:
        return Rejected("wrong_type", "context is no object")
    if "\0" in event.messageId or "\0" in (anonymous or "") or "\0" in (user or ""):
        return Rejected("impossible_value", "an id holds a NUL character, which Postgres can't store")
    if event.traits is not UNSET and bytes(event.traits)[0] not in _OBJECT_OR_NULL:
        return Rejected("wrong_type", "traits is no object")
    if (
        kind is _IDENTIFY
        and event.properties is not UNSET
        and bytes(event.properties)[0] not in _OBJECT_OR_NULL
    ):
        return Rejected("wrong_type", "properties is no object")
    if event.type != "track" and "\0" in (event.event or ""):
        return Rejected("impossible_value", "event holds a NUL character, which Postgres can't store")
    sent, received = event.sentAt, event.receivedAt
    if (
        moment.tzinfo is not UTC
        or (sent is not None and sent.tzinfo is not UTC)
        or (received is not None and received.tzinfo is not UTC)
    ) and not all(map(_in_utc, (moment, sent, received))):
        return Rejected("impossible_value", "a time is before the year 1, or after 9999, in UTC")
    if moment > now and moment > now + CLOCK_TOLERANCE:
        return Rejected("future_clock", f"timestamp {moment.isoformat()} is in the future")
    return None


def _unknown_in(body: Raw, kind: _Kind) -> Found:
    if bytes(body)[:1] != b"{":
        return set()
    return unknown(body, kind.known, "traits." if kind is _IDENTIFY else "properties.")


def _in_utc(moment: datetime | None) -> bool:
    try:
        return moment is None or bool(moment.astimezone(UTC))
    except OverflowError:
        return False


def _named(name: Raw, properties: Raw | UnsetType) -> Raw:
    """The properties with the page's name, which the envelope has no place for; their own name wins."""
    inside = b"}" if properties is UNSET or bytes(properties) == b"null" else bytes(properties)[1:].lstrip()
    return Raw(b'{"name":' + bytes(name) + (b"" if inside == b"}" else b",") + inside)


def _unlisted(event: Envelope) -> Rejected:
    if event.type in TYPES:
        return Rejected("unknown_event", f"event {(event.event or '')[:100]!r} is not in the contract")
    return Rejected("unknown_event", f"type {event.type[:100]!r} is not one of {', '.join(TYPES)}")


def _defect(words: str, found: Found) -> Rejected:
    if "missing required field" in words:
        if found:  # its new name, perhaps
            words += f"; not in the contract: {', '.join(path for path, _ in sorted(found)[:5])}"
        return Rejected("missing_property", words)
    if _OUT_OF_BOUNDS.search(words):
        return Rejected("impossible_value", words)
    return Rejected("wrong_type", words)
