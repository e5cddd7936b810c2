"""JSON text of the events, built from ready-made pieces: quick, and money never passes through a float."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any

import msgspec

from mercato.currencies import WHOLE

_MILLIS = [f"{ms // 1000:02d}.{ms % 1000:03d}Z" for ms in range(60_000)]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Text of the minutes met lately: most events share theirs with others.
_minutes: dict[int, str] = {}
_MOST_MINUTES = 50_000


@lru_cache(maxsize=4096)
def day_text(day: int) -> str:
    """YYYY-MM-DD of a day counted from 1970-01-01."""
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def _minute(minute: int) -> str:
    """A minute since 1970 as ISO 8601 text, up to its seconds."""
    text = _minutes.get(minute)
    if text is None:
        if len(_minutes) >= _MOST_MINUTES:
            _minutes.clear()
        text = (_EPOCH + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:")
        _minutes[minute] = text
    return text


def iso(ms: int) -> str:
    """ISO 8601 in UTC with milliseconds and Z."""
    minute, rest = divmod(ms, 60_000)
    return _minute(minute) + _MILLIS[rest]


def money(minor: int, currency: str) -> str:
    """A JSON number of major units: 1250 is 12.50 in euros and 1250 in yen, which have no decimals."""
    return str(minor) if currency in WHOLE else f"{minor // 100}.{minor % 100:02d}"


def json_text(value: Any) -> str:
    """Any plain value as compact JSON."""
    return msgspec.json.encode(value).decode()


def members(value: dict[str, Any]) -> str:
    """An object's JSON without its braces, to be put together with others."""
    return json_text(value)[1:-1]


def id_prefix(rng: Random) -> str:
    """A UUID without its last four digits, which number what belongs together."""
    digits = f"{rng.getrandbits(104):026x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-a{digits[15:18]}-{digits[18:]}"


def uuid(rng: Random) -> str:
    """A version 4 UUID from `rng`."""
    return f"{id_prefix(rng)}{rng.getrandbits(16):04x}"


@lru_cache(maxsize=64)
def _frame(name: str) -> tuple[str, str]:
    """What stands between messageId and the sender, and the name of the body, by the event's name."""
    if name == "page":
        return '","type":"page",', '"properties":'
    if name == "identify":
        return '","type":"identify",', '"traits":'
    return f'","type":"track","event":"{name}",', '"properties":'


def render(
    message_id: str, name: str, who: str, context: str, body: str, timestamp: int, sent: int, received: int
) -> str:
    """One event as one line of JSON.

    `name` is page, identify or a track event's name; `who` the members userId and anonymousId, ending with a
    comma; `context` and `body` JSON objects; the times are milliseconds since 1970.
    """
    frame, body_name = _frame(name)
    minute, rest = divmod(timestamp, 60_000)
    text = _minute(minute)
    # Most events are sent and received in the minute in which they happen.
    later, latest = rest + sent - timestamp, rest + received - timestamp
    sent_at = text + _MILLIS[later] if 0 <= later < 60_000 else iso(sent)
    received_at = text + _MILLIS[latest] if 0 <= latest < 60_000 else iso(received)
    return (
        f'{{"messageId":"{message_id}{frame}{who}"timestamp":"{text}{_MILLIS[rest]}","sentAt":"{sent_at}",'
        f'"receivedAt":"{received_at}","context":{context},{body_name}{body}}}'
    )
