"""Drift: properties that a sender added and the contract doesn't know. Pure.

Guarantee: whoever decodes with the `strict` variant of a shape hears of an unknown property by a refusal, at
no cost where there is none; `unknown` then names them all. Each record counts once a name, whatever its
lists repeat. Names come from outside, so they are bounded in length and number: random keys can't fill a table.

Not looked at: `context`, which is free-form, and the inside of properties that are unknown themselves.
"""

import operator
from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import cache, reduce
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import fields

from mercato.shapes import Currency

#: (event, property, JSON type) to records: `("Product Viewed", "properties.products[].colour", "string")`.
Drift = MutableMapping[tuple[str, str, str], int]
#: Pairs of property and JSON type.
Found = set[tuple[str, str]]

MOST_NAMES = 1_000  # different ones in a Drift, which is a batch's
MOST_NAMES_A_RECORD = 50
MOST_LETTERS = 255
#: Stands for the names beyond a limit.
MORE = ("(more)", "any")

# To look a code up takes a tenth of matching its pattern, which is 0.4 of decoding a Product Viewed.
_CODES = (
    "AED AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EUR GBP HKD HUF IDR ILS INR ISK JPY KRW KWD MAD MXN MYR NOK NZD "
    "PEN PHP PLN RON RSD SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
)
_FREQUENT: Any = Literal[tuple(f"{_CODES} {_CODES.lower()}".split())]
_TYPES = {b"{": "object", b"[": "array", b'"': "string", b"t": "boolean", b"f": "boolean", b"n": "null"}
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_items = msgspec.json.Decoder(list[Raw]).decode


@dataclass(frozen=True, slots=True)
class Names:
    """All names of an object, and of those that are objects, or lists of them, the names within."""

    all: frozenset[str]
    nested: dict[str, "Names"]


@cache
def strict(shape: type[Struct]) -> type[Struct]:
    """The same shape, refusing unknown names at any depth, and currencies that are rare.

    What it refuses isn't wrong for that: the shape itself decides.
    """
    own = [
        (one.name, _strict_type(one.type), msgspec.field(name=one.encode_name, default=one.default))
        for one in fields(shape)
        if _strict_type(one.type) != one.type
    ]
    return msgspec.defstruct(
        shape.__name__, own, bases=(shape,), kw_only=True, forbid_unknown_fields=True, module=__name__
    )


@cache
def names(shape: type[Struct]) -> Names:
    """The names that the shape knows."""
    nested = {
        one.encode_name: names(inner[0]) for one in fields(shape) if (inner := _structs(one.type))
    }  # no property of ours may be one of two structs
    return Names(frozenset(one.encode_name for one in fields(shape)), nested)


def unknown(text: Raw, known: Names, path: str) -> Found:
    """What the object holds and `known` doesn't; `path` is the object's own, with a dot, or empty."""
    members = _members(text)
    found: Found = set()
    for name in members.keys() - known.all:
        if len(name) + len(path) > MOST_LETTERS or "\0" in name:  # Postgres can't store a NUL
            found.add((f"{path}{name}".replace("\0", "\ufffd")[:MOST_LETTERS], _type(members[name])))
        else:
            found.add((path + name, _type(members[name])))
    for name in known.nested.keys() & members.keys():
        value, inner = members[name], known.nested[name]
        if _type(value) == "object":
            found |= unknown(value, inner, f"{path}{name}.")
        elif _type(value) == "array":
            for item in _items(value):
                if _type(item) == "object":
                    found |= unknown(item, inner, f"{path}{name}[].")
    return found


def note(drift: Drift, event: str, found: Found) -> None:
    """Count one record of the event, with these unknown properties."""
    if len(found) > MOST_NAMES_A_RECORD:
        found = {*sorted(found)[:MOST_NAMES_A_RECORD], MORE}
    if len(drift) + len(found) > MOST_NAMES:
        found = {one if (event, *one) in drift else MORE for one in found}
    for name, kind in found:
        key = event, name, kind
        drift[key] = drift.get(key, 0) + 1


def parameters(drift: Drift) -> dict[str, list[Any]]:
    """What the query record_drift takes, besides `source` and the batch's lowest `partition`."""
    return {
        "events": [event for event, _, _ in drift],
        "properties": [name for _, name, _ in drift],
        "types": [kind for _, _, kind in drift],
        "records": list(drift.values()),
    }


def _type(value: Raw) -> str:
    return _TYPES.get(bytes(value)[:1], "number")


def _structs(kind: Any) -> list[type[Struct]]:
    """The structs in a type: those of `list[Product] | UnsetType` are [Product]."""
    if isinstance(kind, type) and not get_args(kind):
        return [kind] if issubclass(kind, Struct) else []
    return [found for part in get_args(kind) for found in _structs(part)]


def _strict_type(kind: Any) -> Any:
    if kind == Currency:
        return _FREQUENT
    if isinstance(kind, type) and not get_args(kind):
        return strict(kind) if issubclass(kind, Struct) else kind
    parts = get_args(kind)
    if get_origin(kind) is Annotated:
        return Annotated[(_strict_type(parts[0]), *parts[1:])]
    if get_origin(kind) in (Union, UnionType):
        return reduce(operator.or_, map(_strict_type, parts))
    return get_origin(kind)[tuple(map(_strict_type, parts))]
