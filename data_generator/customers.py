"""What each customer bought, in which months: a row of 39 bytes a customer, month and currency.

A late order can make an earlier month a customer's first: so cohorts are drawn up from the rows at the end.
"""

from array import array
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from data_generator.config import DAY_MS
from data_generator.encode import day_text
from data_generator.facts import Refund, Sale

_NEVER = 2**31 - 1


@lru_cache(maxsize=4096)
def _month(day: int) -> int:
    """Months since year 0."""
    text = day_text(day)
    return int(text[:4]) * 12 + int(text[5:7]) - 1


def _month_text(month: int) -> str:
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


class Customers:
    """Rows in columns, those of a customer chained from the newest to the oldest."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._currencies: list[str] = []
        self._older = array("i")  # row, -1 at the end
        self._month = array("i")
        self._currency = array("b")  # place in the list
        self._first_day = array("i")  # of the orders of this row
        self._orders = array("i")
        self._gross = array("q")
        self._discount = array("q")
        self._refund = array("q")

    def sale(self, sale: Sale, at: int, gross: int) -> None:
        """Book an order at a moment in ms; `gross` in minor units."""
        row = self._row(sale, at)
        self._first_day[row] = min(self._first_day[row], at // DAY_MS)
        self._orders[row] += 1
        self._gross[row] += gross
        self._discount[row] += sale.discount

    def refund(self, refund: Refund, at: int) -> None:
        """Book a refund at a moment in ms."""
        self._refund[self._row(refund, at)] += refund.subtotal

    def _row(self, fact: Sale | Refund, at: int) -> int:
        month = _month(at // DAY_MS)
        if fact.currency not in self._currencies:
            self._currencies.append(fact.currency)
        currency = self._currencies.index(fact.currency)
        row = newest = self._newest.get(fact.user_id, -1)
        while row >= 0:
            if self._month[row] == month and self._currency[row] == currency:
                return row
            row = self._older[row]
        self._newest[fact.user_id] = len(self._month)
        empty = (newest, month, currency, _NEVER, 0, 0, 0, 0)
        for column, value in zip(self._columns(), empty, strict=True):
            column.append(value)
        return len(self._month) - 1

    def _columns(self) -> tuple["array[int]", ...]:
        return (
            self._older, self._month, self._currency, self._first_day,
            self._orders, self._gross, self._discount, self._refund,
        )  # fmt: skip

    def _rows(self, row: int) -> list[int]:
        found = []
        while row >= 0:
            found.append(row)
            row = self._older[row]
        return found

    def count(self) -> int:
        """Customers with an order."""
        return sum(any(self._orders[row] for row in self._rows(newest)) for newest in self._newest.values())

    def cohorts(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of by_cohort and by_cohort_revenue, see architecture/truth.md."""
        active: dict[tuple[int, int], list[int]] = {}  # cohort, month → customers, orders
        revenue: dict[tuple[int, int, str], int] = {}
        for newest in self._newest.values():
            rows = [row for row in self._rows(newest) if self._orders[row]]
            cohort = min((self._month[row] for row in rows), default=0)
            for month in {self._month[row] for row in rows}:
                active.setdefault((cohort, month), [0, 0])[0] += 1
            for row in rows:
                month, currency = self._month[row], self._currencies[self._currency[row]]
                active[cohort, month][1] += self._orders[row]
                key = (cohort, month, currency)
                revenue[key] = revenue.get(key, 0) + self._gross[row]
        return (
            [
                {
                    "cohort": _month_text(cohort),
                    "month": _month_text(month),
                    "customers": many,
                    "orders": orders,
                }
                for (cohort, month), (many, orders) in sorted(active.items())
            ],
            [
                {
                    "cohort": _month_text(cohort),
                    "month": _month_text(month),
                    "currency": currency,
                    "gross_revenue_minor": gross,
                }
                for (cohort, month, currency), gross in sorted(revenue.items())
            ],
        )

    def each(self) -> Iterator[dict[str, Any]]:
        """A row of customers.ndjson a customer, in the order of user_id."""
        for user_id, newest in sorted(self._newest.items()):
            rows = self._rows(newest)
            first = min(self._first_day[row] for row in rows)
            money: dict[str, dict[str, int]] = {}
            for row in rows:
                sums = money.setdefault(
                    self._currencies[self._currency[row]],
                    {"gross_revenue_minor": 0, "discounts_minor": 0, "refunds_minor": 0},
                )
                sums["gross_revenue_minor"] += self._gross[row]
                sums["discounts_minor"] += self._discount[row]
                sums["refunds_minor"] += self._refund[row]
            yield {
                "user_id": user_id,
                "first_order_day": None if first == _NEVER else day_text(first),
                "orders": sum(self._orders[row] for row in rows),
                "by_currency": [{"currency": currency, **sums} for currency, sums in sorted(money.items())],
            }
