"""What a batch adds to the counts that dashboards and alerts read before dbt has run. Pure.

Guarantee: each event that the batch loads counts once, in the transaction that loads it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from ingestion.records import Accepted
from mercato.currencies import decimals

#: Of an order that doesn't say; as the models' var `default_currency`.
DEFAULT_CURRENCY = "USD"
LATE_SECONDS = 3_600
EPOCH_HOUR = date(1970, 1, 1).toordinal() * 24
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


@dataclass(slots=True)
class Tally:
    """Accepted events counted: (hour since 1970, event, currency) to [events, late ones, amount in minor units], and
    (hour, product, currency) to [prices seen, their sum in minor units]."""

    events: dict[tuple[int, str, str], list[int]] = field(default_factory=dict)
    prices: dict[tuple[int, str, str], list[int]] = field(default_factory=dict)

    def add(self, some: Iterable[Accepted], sign: int = 1) -> None:
        """Count events, or with a sign of -1 take them out again."""
        for one in some:
            # In UTC, as all times are here: a third of the time that its timestamp takes.
            hour = one.occurred.toordinal() * 24 + one.occurred.hour - EPOCH_HOUR
            currency, amount = "", 0
            if one.event == ORDER:
                currency, amount, prices = order_amount(one.raw)
                self._show(hour, prices, sign)
            elif one.event == ADDED:
                self._show(hour, added_price(one.raw), sign)
            key = hour, one.event, currency
            sums = self.events.get(key)
            if sums is None:
                sums = self.events[key] = [0, 0, 0]
            sums[0] += sign
            if one.received and (one.received - one.occurred).total_seconds() > LATE_SECONDS:
                sums[1] += sign
            if amount:
                sums[2] += sign * amount

    def _show(self, hour: int, prices: Iterable[Price], sign: int) -> None:
        for product, currency, minor in prices:
            seen = self.prices.setdefault((hour, product, currency), [0, 0])
            seen[0] += sign
            seen[1] += sign * minor

    def without(self, left_out: Iterable[Accepted]) -> "Tally":
        """What remains of it without these, which were counted."""
        rest = Tally(
            *({key: sums.copy() for key, sums in all_.items()} for all_ in (self.events, self.prices))
        )
        rest.add(left_out, -1)
        return rest

    def parameters(self) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        """What the queries count_events and count_prices take, besides `source` and `partition`: parallel lists."""
        events = {key: sums for key, sums in self.events.items() if sums[0]}
        prices = {key: sums for key, sums in self.prices.items() if sums[0]}
        return {
            "hours": [hour * 3_600 for hour, _, _ in events],
            "events": [event for _, event, _ in events],
            "currencies": [currency for _, _, currency in events],
            "counts": [sums[0] for sums in events.values()],
            "late": [sums[1] for sums in events.values()],
            "amounts": [sums[2] for sums in events.values()],
        }, {
            "hours": [hour * 3_600 for hour, _, _ in prices],
            "products": [product for _, product, _ in prices],
            "currencies": [currency for _, _, currency in prices],
            "lines": [seen[0] for seen in prices.values()],
            "prices": [seen[1] for seen in prices.values()],
        }


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
