"""Turns a good event into a bad one, or into one of another schema, as careless senders do. Pure.

What the contract knows of an event is read from the contract itself, so an event added there can be spoiled.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
from msgspec.structs import fields

from mercato.events import TRACK

#: Properties that may be of several types, or are objects, so that an object around them isn't wrong.
_LOOSE = {"position", "rating", "query", "shipping_address", "delivery"}
_KNOWN = {name: {one.encode_name for one in fields(shape)} for name, shape in TRACK.items()}
_REQUIRED = {
    name: [one.encode_name for one in fields(shape) if one.required] for name, shape in TRACK.items()
}

_MONEY = ("price", "value", "total", "subtotal", "revenue", "shipping", "tax", "discount")
_RENAMED = {"product_id": "productId", "order_id": "orderId", "query": "searchTerm", "products": "lineItems"}
_UNKNOWN = ("Product Hovered", "Cart Abandoned", "Video Played", "order completed")
_RELEASES = (b"2.12.0-beta", b"3.0.0", b"3.0.1")
#: Texts that people wrote, as bytes of JSON without escapes.
_TEXT = re.compile(rb'"(?:name|query|title|city|review_body|share_message)":"([^"\\]+)"')

# Decimal both ways, so that 12.50 stays 12.50.
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


def spoil(kind: str, name: str, line: bytes, chance: Random) -> bytes | None:
    """The spoiled line of an event of this name, or None where this kind doesn't fit it. `kind`: see faults."""
    return _SPOILERS[kind](name, line, chance)


def _cut(_: str, line: bytes, chance: Random) -> bytes:
    """A true beginning of an object is never JSON. Cut between characters: it stays UTF-8."""
    text = line.decode()
    return text[: 1 + int(chance.random() * (len(text) - 1))].encode()


def _latin(_: str, line: bytes, chance: Random) -> bytes | None:
    texts = list(_TEXT.finditer(line))
    if not texts:
        return None
    start, end = _one_of(texts, chance).span(1)
    text = line[start:end].decode().encode("latin-1", "replace")
    if _is_utf8(text):  # no accent in it: give it one
        text = text[:1] + b"\xe9" + text[1:]
    return line[:start] + text + line[end:]


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unknown(name: str, line: bytes, chance: Random) -> bytes:
    if name not in TRACK:  # page or identify
        return line.replace(f'"type":"{name}"'.encode(), b'"type":"screen"', 1)
    return line.replace(f'"event":"{name}"'.encode(), f'"event":"{_one_of(_UNKNOWN, chance)}"'.encode(), 1)


def _added(_: str, line: bytes, chance: Random) -> bytes:
    arm = b"b" if chance.random() < 0.5 else b"a"
    more = b'"tracker_release":"%s","experiment":{"name":"checkout","arm":"%s"}}}' % (
        _one_of(_RELEASES, chance),
        arm,
    )
    body = line[:-2]  # without the ends of the body and of the event
    return body + (more if body.endswith(b"{") else b"," + more)


def _mistyped(name: str, line: bytes, chance: Random) -> bytes | None:
    return _changed(name, line, chance, _careless)


def _retyped(name: str, line: bytes, chance: Random) -> bytes | None:
    return _changed(name, line, chance, lambda value: {"v2": value})


def _changed(name: str, line: bytes, chance: Random, change: Callable[[Any], Any]) -> bytes | None:
    """One property that the contract knows, changed to a type that it doesn't allow."""
    event: dict[str, Any] = _decode(line)
    properties = event.get("properties", {})
    known = _KNOWN.get(name, set()) - _LOOSE
    chosen = [one for one, value in properties.items() if one in known and value is not None]
    if not chosen:
        return None
    one = _one_of(chosen, chance)
    properties[one] = change(properties[one])
    return _encode(event)


def _careless(value: Any) -> Any:
    """Text in a list, a list as a string of JSON, a number as text."""
    if isinstance(value, str):
        return [value]
    return _encode(value).decode() if isinstance(value, list) else str(value)


def _missing(name: str, line: bytes, chance: Random) -> bytes:
    event: dict[str, Any] = _decode(line)
    if required := _REQUIRED.get(name):
        del event["properties"][_one_of(required, chance)]
    else:
        del event["messageId"]
    return _encode(event)


def _renamed(name: str, line: bytes, chance: Random) -> bytes | None:
    required = _REQUIRED.get(name)
    if not required:
        return None
    event: dict[str, Any] = _decode(line)
    one = _one_of(required, chance)
    event["properties"][_RENAMED.get(one, f"{one}_v2")] = event["properties"].pop(one)
    return _encode(event)


def _impossible(name: str, line: bytes, chance: Random) -> bytes | None:
    event: dict[str, Any] = _decode(line)
    properties = event.get("properties", {})
    places = [(properties, one) for one in properties if _can_be_impossible(name, one)]
    if "products" in _KNOWN.get(name, ()):
        for product in properties.get("products", ()):
            places += [(product, one) for one in ("price", "quantity", "product_id")]
    places = [(holder, one) for holder, one in places if holder.get(one) is not None]
    if not places:
        return None
    holder, one = _one_of(places, chance)
    if one in _MONEY:
        holder[one] = -1 - holder[one]
    else:
        holder[one] = {"quantity": 0, "currency": "EURO"}.get(one, "")
    return _encode(event)


def _can_be_impossible(name: str, one: str) -> bool:
    """Known amounts and counts, and those ids that the contract doesn't allow to be empty."""
    if one in (*_MONEY, "quantity", "currency", "product_id"):
        return one in _KNOWN.get(name, ())
    return one == "order_id" and one in _REQUIRED.get(name, ())


def _one_of(values: Any, chance: Random) -> Any:
    return values[int(chance.random() * len(values))]


_SPOILERS: dict[str, Callable[[str, bytes, Random], bytes | None]] = {
    "drift_added": _added,
    "drift_renamed": _renamed,
    "drift_retyped": _retyped,
    "broken_json": _cut,
    "wrong_encoding": _latin,
    "wrong_type": _mistyped,
    "missing_property": _missing,
    "impossible_value": _impossible,
    "unknown_event": _unknown,
}
