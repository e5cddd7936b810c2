"""What goes wrong between the shop and the stream, each hit labelled. Pure: chance comes in.

duplicate         the same messageId again, later; half of them with the clock times recomputed by the client
late              delivered hours to days after it happened, its timestamp unchanged
broken_json       cut off                                          → quarantined as not_json
wrong_type        a number as text, a list as a string of JSON      → quarantined as wrong_type
missing_property  without a property that the contract requires     → quarantined as missing_property

The last three take the place of the good event: it is lost to the numbers.
"""

from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from data_generator.encode import render
from data_generator.facts import Event, Record

HOUR = 3_600_000

#: Longest time between an event and its delivery; the truth relies on it to close sessions.
MAX_LATE = 72 * HOUR
_MIN_LATE = 2 * HOUR
_MAX_AGAIN = 48 * HOUR

#: Fault to the reason in the quarantine; None where the event still counts once.
KINDS: dict[str, str | None] = {
    "duplicate": None,
    "late": None,
    "broken_json": "not_json",
    "wrong_type": "wrong_type",
    "missing_property": "missing_property",
}

#: A property whose type the contract knows, by event.
_TYPED = {
    "Products Searched": ("query",),
    "Product List Viewed": ("products",),
    "Cart Viewed": ("products",),
    "Product Viewed": ("price",),
    "Product Added": ("price", "quantity"),
    "Product Removed": ("price", "quantity"),
    "Checkout Started": ("value", "products"),
    "Checkout Step Completed": ("step",),
    "Payment Info Entered": ("step",),
    "Order Completed": ("total", "products"),
    "Order Refunded": ("total", "products"),
}

#: A property that the contract requires, by event; the others lose their messageId.
_REQUIRED = {
    "Products Searched": ("query",),
    "Product Viewed": ("product_id",),
    "Product Added": ("product_id",),
    "Product Removed": ("product_id",),
    "Checkout Started": ("order_id",),
    "Order Completed": ("order_id", "products"),
    "Order Refunded": ("order_id",),
}

# Decimal both ways, so that 12.50 stays 12.50.
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Injector:
    """Delivers events, all before `end`; `rate` of them are hit, the kinds taking even shares.

    Delays have a generator of their own, so that another rate leaves the rest of the history as it is.
    """

    def __init__(self, seed: str, rate: float, end: int) -> None:
        self._rate = rate
        self._end = end
        self._kinds = tuple(KINDS)
        self._chance = Random(f"{seed}/faults")  # noqa: S311 -- a simulation, to be repeated
        self._delay = Random(f"{seed}/delays")  # noqa: S311
        # A kind that doesn't fit an event waits for one that it fits: so the shares stay even.
        self._waiting: list[str] = []

    def deliver(self, event: Event) -> list[Record]:
        """The records of one event: one, or two where it is sent again."""
        draw = self._delay.random()
        delay = 20 + int(draw * draw * draw * 3_000)
        delivered = min(event.at + delay, self._end - 1)
        sent = min(event.at + delay // 4, delivered)
        if self._chance.random() < self._rate:
            self._waiting.append(self._kinds[int(self._chance.random() * len(self._kinds))])
        for place, kind in enumerate(self._waiting):
            if self._fits(kind, event, delivered):
                del self._waiting[place]
                return self._hit(kind, event, sent, delivered)
        return [_record(event, _line(event, event.at, sent, delivered), delivered, "")]

    def _fits(self, kind: str, event: Event, delivered: int) -> bool:
        if kind == "duplicate":
            return delivered + 1_000 < self._end
        if kind == "late":
            return event.at + _MIN_LATE + 1 < self._end
        return kind != "wrong_type" or event.name in _TYPED

    def _hit(self, kind: str, event: Event, sent: int, delivered: int) -> list[Record]:
        if kind == "late":
            latest = min(event.at + MAX_LATE, self._end - 1)
            delivered = event.at + _MIN_LATE + int(self._chance.random() * (latest - event.at - _MIN_LATE))
            return [_record(event, _line(event, event.at, delivered - 10, delivered), delivered, kind)]
        line = _line(event, event.at, sent, delivered)
        if kind == "duplicate":
            return [_record(event, line, delivered, ""), self._again(event, line, sent, delivered)]
        broken = (
            _cut(line, self._chance)
            if kind == "broken_json"
            else _spoil(kind, event.name, line, self._chance)
        )
        return [_record(event, broken, delivered, kind)]

    def _again(self, event: Event, line: bytes, sent: int, delivered: int) -> Record:
        """The copy: always delivered after the original, on the same key, so that the original wins."""
        longest = _MAX_AGAIN if self._chance.random() < 0.5 else 60_000
        delay = 200 + int(self._chance.random() * (min(delivered + longest, self._end - 1) - delivered - 200))
        if self._chance.random() < 0.5:
            line = _line(event, event.at + delay, sent + delay, delivered + delay)
        return _record(event, line, delivered + delay, "duplicate")


def _line(event: Event, timestamp: int, sent: int, received: int) -> bytes:
    return render(
        event.message_id, event.name, event.who, event.context, event.body, timestamp, sent, received
    ).encode()


def _record(event: Event, line: bytes, delivered: int, fault: str) -> Record:
    return Record(
        delivered,
        event.message_id,
        event.key,
        line,
        fault,
        event.at,
        event.visitor,
        event.fact,
        event.channel,
    )


def _cut(line: bytes, rng: Random) -> bytes:
    """A true beginning of an object is never JSON. Cut between characters: it stays UTF-8."""
    text = line.decode()
    return text[: 1 + int(rng.random() * (len(text) - 1))].encode()


def _spoil(kind: str, name: str, line: bytes, rng: Random) -> bytes:
    event: dict[str, Any] = _decode(line)
    names = (_TYPED if kind == "wrong_type" else _REQUIRED).get(name)
    if names is None:
        del event["messageId"]
        return _encode(event)
    chosen = names[int(rng.random() * len(names))]
    properties = event["properties"]
    if kind == "missing_property":
        del properties[chosen]
    else:
        properties[chosen] = _mistyped(properties[chosen])
    return _encode(event)


def _mistyped(value: Any) -> Any:
    """As careless senders do: text in a list, a list as a string of JSON, a number as text."""
    if isinstance(value, str):
        return [value]
    return _encode(value).decode() if isinstance(value, list) else str(value)
