"""Orders and money by day, product, country, channel: sums that grow with the shop, not with its events."""

from typing import Any

from data_generator.config import DAY_MS
from data_generator.encode import day_text
from data_generator.facts import Refund, Sale
from data_generator.sessions import Session

#: Sums of a day or a country in one currency, money in its minor units.
MONEY = (
    "gross_revenue_minor", "discounts_minor", "refunds_minor", "net_revenue_minor", "shipping_minor", "tax_minor"
)  # fmt: skip

_Sums = list[int]
_EMPTY = [0] * 7  # orders, units, gross, discounts, refunds, shipping, tax


class Sales:
    """Orders and refunds, by day and by country, and lines by product; each by currency."""

    def __init__(self) -> None:
        self._days: dict[tuple[int, str], _Sums] = {}
        self._countries: dict[tuple[str, str], _Sums] = {}
        self._products: dict[tuple[str, str], _Sums] = {}  # orders, units, gross
        self._channels: dict[str, int] = {}

    def sale(self, sale: Sale, at: int, channel: str, units: int, gross: int) -> None:
        """Add an order at a moment in ms."""
        amounts = (1, units, gross, sale.discount, 0, sale.shipping, sale.tax)
        self._add(sale, at, amounts)
        self._channels[channel] = self._channels.get(channel, 0) + 1
        seen = set()
        for line in sale.lines:
            sums = self._products.setdefault((line.product_id, sale.currency), [0, 0, 0])
            sums[0] += line.product_id not in seen
            sums[1] += line.units
            sums[2] += line.gross
            seen.add(line.product_id)

    def refund(self, refund: Refund, at: int) -> None:
        """Add a refund at a moment in ms."""
        self._add(refund, at, (0, 0, 0, 0, refund.subtotal, 0, 0))

    def _add(self, fact: Sale | Refund, at: int, amounts: tuple[int, ...]) -> None:
        for sums in (
            self._days.setdefault((at // DAY_MS, fact.currency), _EMPTY.copy()),
            self._countries.setdefault((fact.country, fact.currency), _EMPTY.copy()),
        ):
            for place, amount in enumerate(amounts):
                sums[place] += amount

    @property
    def orders_by_channel(self) -> dict[str, int]:
        """Orders by the channel of their own event."""
        return self._channels

    def by_day(self) -> list[dict[str, Any]]:
        """A row a day and currency."""
        return [
            {"day": day_text(day), "currency": currency, **_figures(sums)}
            for (day, currency), sums in sorted(self._days.items())
        ]

    def by_country(self) -> list[dict[str, Any]]:
        """A row a country and currency."""
        return [
            {"country": country, "currency": currency, **_figures(sums)}
            for (country, currency), sums in sorted(self._countries.items())
        ]

    def by_product(self) -> list[dict[str, Any]]:
        """A row a product and currency."""
        return [
            {
                "product_id": product,
                "currency": currency,
                "orders": orders,
                "units": units,
                "gross_revenue_minor": gross,
            }
            for (product, currency), (orders, units, gross) in sorted(self._products.items())
        ]


class Visits:
    """Finished sessions by day and by channel."""

    def __init__(self) -> None:
        self._days: dict[int, _Sums] = {}  # sessions, converted
        self._channels: dict[str, _Sums] = {}

    def copy(self) -> "Visits":
        """Another one with the same sums, to add to."""
        other = Visits()
        other._days = {day: sums.copy() for day, sums in self._days.items()}
        other._channels = {channel: sums.copy() for channel, sums in self._channels.items()}
        return other

    def add(self, session: Session) -> None:
        """Add a session, to the day on which it began."""
        for sums in (
            self._days.setdefault(session.first // DAY_MS, [0, 0]),
            self._channels.setdefault(session.channel, [0, 0]),
        ):
            sums[0] += 1
            sums[1] += session.converted

    def by_day(self) -> list[dict[str, Any]]:
        """A row a day."""
        return [
            {"day": day_text(day), "sessions": sessions, "converted_sessions": converted}
            for day, (sessions, converted) in sorted(self._days.items())
        ]

    def by_channel(self, orders: dict[str, int]) -> list[dict[str, Any]]:
        """A row a channel that has sessions or orders."""
        rows = []
        for channel in sorted(self._channels.keys() | orders.keys()):
            sessions, converted = self._channels.get(channel, (0, 0))
            rows.append(
                {
                    "channel": channel,
                    "sessions": sessions,
                    "converted_sessions": converted,
                    "orders": orders.get(channel, 0),
                }
            )
        return rows


def _figures(sums: _Sums) -> dict[str, int]:
    orders, units, gross, discounts, refunds, shipping, tax = sums
    money = (gross, discounts, refunds, gross - discounts - refunds, shipping, tax)
    return {"orders": orders, "units": units, **dict(zip(MONEY, money, strict=True))}
