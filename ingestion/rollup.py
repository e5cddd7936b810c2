"""What a batch adds to the counts that dashboards and alerts read before dbt has run. Pure.

Guarantee: each event that the batch loads counts once, in the transaction that loads it.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec
from msgspec import Struct

from ingestion.batch import Accepted
from mercato.currencies import decimals

#: Of an order that doesn't say; as the models' var `default_currency`.
DEFAULT_CURRENCY = "USD"
LATE_SECONDS = 3_600
ORDER = "Order Completed"


class _Line(Struct):
    price: Decimal
    quantity: Decimal = Decimal(1)


class _Order(Struct):
    products: list[_Line]
    currency: str | None = None
    discount: Decimal | None = None


class _Call(Struct):
    properties: _Order


_order = msgspec.json.Decoder(_Call).decode


def count(new: Iterable[Accepted]) -> dict[str, list[Any]]:
    """What the query count_events takes, besides `source` and `partition`: parallel lists, a place an hour, event
    and currency. Amounts are minor units."""
    sums: dict[tuple[int, str, str], list[int]] = {}
    for one in new:
        currency, amount = order_amount(one.raw) if one.event == ORDER else ("", 0)
        late = one.received is not None and (one.received - one.occurred).total_seconds() > LATE_SECONDS
        key = int(one.occurred.timestamp()) // 3_600, one.event, currency
        sum_ = sums.get(key)
        if sum_ is None:
            sum_ = sums[key] = [0, 0, 0]
        sum_[0] += 1
        sum_[1] += late
        sum_[2] += amount
    return {
        "hours": [hour * 3_600 for hour, _, _ in sums],
        "events": [event for _, event, _ in sums],
        "currencies": [currency for _, _, currency in sums],
        "counts": [sum_[0] for sum_ in sums.values()],
        "late": [sum_[1] for sum_ in sums.values()],
        "amounts": [sum_[2] for sum_ in sums.values()],
    }


def order_amount(raw: bytes) -> tuple[str, int]:
    """Currency and Σ price × quantity − discount in minor units, each line rounded once, as the models do.

    An order whose amounts are written in a way that isn't a plain number counts with none: the models, which read
    all ways, correct the picture.
    """
    try:
        order = _order(raw).properties
        code = (order.currency or DEFAULT_CURRENCY).upper()
        unit = Decimal(10) ** decimals(code)
        lines = sum(_round(line.price * line.quantity * unit) for line in order.products)
        return code, lines - _round((order.discount or Decimal(0)) * unit)
    except (msgspec.DecodeError, ArithmeticError):
        return DEFAULT_CURRENCY, 0


def _round(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
