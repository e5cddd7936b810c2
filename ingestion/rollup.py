"""What a batch adds to the counts that dashboards and alerts read before dbt has run. Pure.

Guarantee: each event that the batch loads counts once, in the transaction that loads it.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from ingestion.batch import Accepted
from mercato.currencies import decimals

#: Of an order that doesn't say; as the models' var `default_currency`.
DEFAULT_CURRENCY = "USD"
LATE_SECONDS = 3_600
ORDER, ADDED = "Order Completed", "Product Added"


class _Line(Struct):
    product_id: str
    price: Decimal
    quantity: Decimal = Decimal(1)


class _Order(Struct):
    products: list[_Line]
    currency: str | None = None
    discount: Decimal | None = None


class _OrderCall(Struct):
    properties: _Order


class _Added(Struct):
    product_id: str
    price: Decimal | None = None
    currency: str | None = None


class _AddedCall(Struct):
    properties: _Added


class Price(NamedTuple):
    """What one piece of a product costs, in minor units of the currency."""

    product: str
    currency: str
    minor: int


_order = msgspec.json.Decoder(_OrderCall).decode
_added = msgspec.json.Decoder(_AddedCall).decode


def count(new: Iterable[Accepted]) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """What the queries count_events and count_prices take, besides `source` and `partition`: parallel lists, a place
    an hour, event and currency; a place an hour, product and currency. Amounts are minor units."""
    sums: dict[tuple[int, str, str], list[int]] = {}
    shown: dict[tuple[int, str, str], list[int]] = {}
    for one in new:
        hour, currency, amount = int(one.occurred.timestamp()) // 3_600, "", 0
        if one.event == ORDER:
            currency, amount, prices = order_amount(one.raw)
            _add(shown, hour, prices)
        elif one.event == ADDED:
            _add(shown, hour, added_price(one.raw))
        late = one.received is not None and (one.received - one.occurred).total_seconds() > LATE_SECONDS
        key = hour, one.event, currency
        sum_ = sums.get(key)
        if sum_ is None:
            sum_ = sums[key] = [0, 0, 0]
        sum_[0] += 1
        sum_[1] += late
        sum_[2] += amount
    events: dict[str, list[Any]] = {
        "hours": [hour * 3_600 for hour, _, _ in sums],
        "events": [event for _, event, _ in sums],
        "currencies": [currency for _, _, currency in sums],
        "counts": [sum_[0] for sum_ in sums.values()],
        "late": [sum_[1] for sum_ in sums.values()],
        "amounts": [sum_[2] for sum_ in sums.values()],
    }
    return events, {
        "hours": [hour * 3_600 for hour, _, _ in shown],
        "products": [product for _, product, _ in shown],
        "currencies": [currency for _, _, currency in shown],
        "lines": [seen[0] for seen in shown.values()],
        "prices": [seen[1] for seen in shown.values()],
    }


def _add(shown: dict[tuple[int, str, str], list[int]], hour: int, prices: Iterable[Price]) -> None:
    for product, currency, minor in prices:
        seen = shown.setdefault((hour, product, currency), [0, 0])
        seen[0] += 1
        seen[1] += minor


def order_amount(raw: bytes) -> tuple[str, int, list[Price]]:
    """Currency, Σ price × quantity − discount in minor units, each line rounded once, as the models do, and the prices.

    An order whose amounts are written in a way that isn't a plain number counts with none: the models, which read
    all ways, correct the picture.
    """
    try:
        order = _order(raw).properties
        code = (order.currency or DEFAULT_CURRENCY).upper()
        unit = Decimal(10) ** decimals(code)
        lines = sum(_round(line.price * line.quantity * unit) for line in order.products)
        prices = [Price(line.product_id, code, _round(line.price * unit)) for line in order.products]
        return code, lines - _round((order.discount or Decimal(0)) * unit), prices
    except (msgspec.DecodeError, ArithmeticError):
        return DEFAULT_CURRENCY, 0, []


def added_price(raw: bytes) -> list[Price]:
    """The price at which a product was put into a cart, where the event says it."""
    try:
        added = _added(raw).properties
        if added.price is None:
            return []
        code = (added.currency or DEFAULT_CURRENCY).upper()
        return [Price(added.product_id, code, _round(added.price * Decimal(10) ** decimals(code)))]
    except (msgspec.DecodeError, ArithmeticError):
        return []


def _round(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
