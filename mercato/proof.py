"""Compares the KPIs of every mart and report with the truth file, or with each other. Pure.

Guarantee: each day, currency and KPI that differs in any table is named, money to the minor unit; a table
that lacks a day, or has one too many, differs.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mercato import currencies

#: KPIs in the order they are shown. Money is in minor units.
KPIS = (
    "orders", "units", "gross_revenue", "discounts", "refunds", "net_revenue", "shipping", "tax",
    "sessions", "converted_sessions",
)  # fmt: skip
MONEY = {"gross_revenue", "discounts", "refunds", "net_revenue", "shipping", "tax"}
#: A session has no currency.
WITHOUT_CURRENCY = {"sessions", "converted_sessions"}

#: What each table must have. An emptied table is a table of zeros, not one without the KPI.
TABLES: dict[str, tuple[str, ...]] = {
    "marts.fct_orders": ("orders", "units", "gross_revenue", "discounts", "shipping", "tax"),
    "marts.fct_order_lines": ("orders", "units", "gross_revenue"),
    "marts.fct_refunds": ("refunds",),
    "marts.fct_sessions": ("sessions", "converted_sessions"),
    "reports.rpt_daily_sales": (
        "orders", "units", "gross_revenue", "discounts", "refunds", "net_revenue", "shipping", "tax",
    ),
    "reports.rpt_daily_sessions": ("sessions", "converted_sessions"),
    "reports.rpt_daily_funnel": ("converted_sessions",),
    "reports.rpt_product_sales": ("units", "gross_revenue"),
}  # fmt: skip
#: Of these only totals over all days are known.
WITHOUT_DAYS = {"reports.rpt_product_sales"}

#: One figure's place: KPI, day (None: all days), currency ("" where it has none).
Key = tuple[str, date | None, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of a table that isn't what `reference` says; a missing one counts as 0."""

    table: str
    key: Key
    have: int
    reference: str
    want: int

    def __str__(self) -> str:
        kpi, day, currency = self.key
        on = f" on {day}" if day else ""
        have, want = (show(kpi, amount, currency) for amount in (self.have, self.want))
        return f"{self.table}: {kpi}{on}: {have}, {self.reference} says {want} {currency}".rstrip()


#: Currency ("" where there is none) to the total over all days.
Totals = dict[str, int]


@dataclass(slots=True)
class Proof:
    """`totals`: KPI to table to totals; the truth's, if there is one, stand apart: KPI to totals."""

    truth: dict[str, Totals] | None
    totals: dict[str, dict[str, Totals]] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    def agreeing(self, kpi: str, currency: str | None = None) -> list[str]:
        """Tables that have this KPI right on every day, in one currency or in all."""
        wrong = {
            one.table
            for one in self.differences
            if one.key[0] == kpi and (currency is None or one.key[2] == currency)
        }
        return [table for table in self.totals[kpi] if table not in wrong]


def expected_from_truth(truth: dict[str, Any]) -> dict[Key, int]:
    """The truth's figures by day, and their totals."""
    found: dict[Key, int] = {}
    for kpi in KPIS:
        for row in truth["sessions_by_day" if kpi in WITHOUT_CURRENCY else "by_day"]:
            key = (kpi, date.fromisoformat(row["day"]), row.get("currency", ""))
            found[key] = row[f"{kpi}_minor" if kpi in MONEY else kpi]
    return _with_totals(found)


def compare(figures: dict[str, dict[Key, int]], truth: dict[Key, int] | None) -> Proof:
    """Compare each table of TABLES with the truth; without one, with the first table that has the KPI.

    `figures`: table to its figures, as they are in it now; a table may be absent where it has no rows.
    """
    proof = Proof(None if truth is None else {kpi: _totals(_of(kpi, truth)) for kpi in KPIS})
    for kpi in KPIS:
        having = {table: _of(kpi, figures.get(table, {})) for table, kpis in TABLES.items() if kpi in kpis}
        proof.totals[kpi] = {table: _totals(having[table]) for table in having}
        reference = "the truth" if truth is not None else next(iter(having))
        expected = _of(kpi, truth) if truth is not None else _with_totals(having[reference])
        for table, found in having.items():
            for key in sorted(expected.keys() | found.keys(), key=str):
                want, have = expected.get(key, 0), found.get(key, 0)
                if (table in WITHOUT_DAYS) == (key[1] is None) and want != have:
                    proof.differences.append(Difference(table, key, have, reference, want))
    return proof


def show(kpi: str, amount: int, currency: str = "") -> str:
    """An amount for people: money in major units of its currency, counts as they are."""
    return currencies.amount(amount, currency) if kpi in MONEY else f"{amount:,}"


def _of(kpi: str, figures: dict[Key, int]) -> dict[Key, int]:
    return {key: value for key, value in figures.items() if key[0] == kpi}


def _with_totals(figures: dict[Key, int]) -> dict[Key, int]:
    """Daily figures, and their sums over all days."""
    found = dict(figures)
    for (kpi, _, currency), value in figures.items():
        found[kpi, None, currency] = found.get((kpi, None, currency), 0) + value
    return found


def _totals(figures: dict[Key, int]) -> Totals:
    """By currency, over all days; figures that have totals are not added up twice."""
    days = any(day for _, day, _ in figures)
    found: Totals = {}
    for (_, day, currency), value in figures.items():
        if (day is not None) == days:
            found[currency] = found.get(currency, 0) + value
    return found
