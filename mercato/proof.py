"""Compares the KPIs of every mart and report with the truth file, or with each other. Pure.

Guarantee: each day, currency and KPI that differs in any table is named, money to the minor unit, and so is each
product, country and channel; a table that lacks one, or has one too many, differs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mercato import currencies
from mercato.currencies import Amount

#: KPIs in the order they are shown. Money is in minor units.
KPIS = (
    "orders", "units", "gross_revenue", "discounts", "refunds", "net_revenue", "shipping", "tax",
    "sessions", "converted_sessions",
)  # fmt: skip
MONEY = {"gross_revenue", "discounts", "refunds", "net_revenue", "shipping", "tax"}
#: A session has no currency.
WITHOUT_CURRENCY = {"sessions", "converted_sessions"}

_SALES = ("orders", "units", "gross_revenue", "discounts", "refunds", "net_revenue", "shipping", "tax")
#: Of products: shipping and tax are of none, and an order of two is one order.
_OF_LINES = ("units", "gross_revenue", "discounts", "refunds", "net_revenue")
_FACTS = ("orders", "units", "gross_revenue", "discounts", "shipping", "tax")

#: What each table must have, day by day. An emptied table is a table of zeros, not one without the KPI.
TABLES: dict[str, tuple[str, ...]] = {
    "marts.fct_orders": _FACTS,
    "marts.fct_order_lines": ("orders", "units", "gross_revenue", "discounts"),
    "marts.fct_refunds": ("refunds",),
    "marts.fct_refund_lines": ("refunds",),
    "marts.fct_sessions": ("sessions", "converted_sessions"),
    "marts.fct_payments": ("orders",),
    "reports.rpt_hourly_sales": _SALES,
    "reports.rpt_daily_sales": _SALES,
    "reports.rpt_weekly_sales": _SALES,
    "reports.rpt_monthly_sales": _SALES,
    "reports.rpt_daily_sales_by_country": _SALES,
    "reports.rpt_daily_sales_by_city": _SALES,
    "reports.rpt_daily_sales_by_channel": _SALES,
    "reports.rpt_daily_promotions": _SALES,
    "reports.rpt_daily_sales_by_category": _OF_LINES,
    "reports.rpt_daily_sales_by_product": _OF_LINES,
    "reports.rpt_daily_payments": ("orders",),
    "reports.rpt_seasonality_weekday_hour": ("orders", "net_revenue"),
    "reports.rpt_seasonality_month": ("orders", "net_revenue"),
    "reports.rpt_daily_sessions": ("sessions", "converted_sessions"),
    "reports.rpt_daily_funnel": ("converted_sessions",),
    "reports.rpt_product_sales": ("units", "gross_revenue"),
}
#: Of these only totals over all days are known. A payment's day is that of the attempt.
WITHOUT_DAYS = {
    "marts.fct_payments", "reports.rpt_weekly_sales", "reports.rpt_monthly_sales", "reports.rpt_daily_payments",
    "reports.rpt_seasonality_weekday_hour", "reports.rpt_seasonality_month", "reports.rpt_product_sales",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dimension:
    """What figures are told apart by: the truth's list, its fields that name a member, and the tables that have it."""

    rows: str
    member: tuple[str, ...]
    tables: dict[str, tuple[str, ...]]


#: Figures over all days. Their names are those of the columns in the query `kpis`.
DIMENSIONS: dict[str, Dimension] = {
    "product": Dimension("by_product", ("product_id",), {
        "marts.fct_order_lines": ("orders", "units", "gross_revenue"),
        "reports.rpt_product_sales": ("orders", "units", "gross_revenue"),
        "reports.rpt_daily_sales_by_product": ("units", "gross_revenue"),
    }),
    "country": Dimension("by_country", ("country",), {
        "marts.fct_orders": _FACTS,
        "marts.fct_refunds": ("refunds",),
        "reports.rpt_daily_sales_by_country": _SALES,
        "reports.rpt_daily_sales_by_city": _SALES,
    }),
    "channel": Dimension("by_channel", ("channel",), {
        "marts.fct_orders": ("orders",),
        "marts.fct_sessions": ("sessions", "converted_sessions"),
        "reports.rpt_daily_sales_by_channel": ("orders",),
    }),
}  # fmt: skip

#: One figure's place: KPI, day (None: all days) or member of a dimension, currency ("" where it has none).
Key = tuple[str, date | str | None, str]
#: Table to its figures.
Figures = dict[str, dict[Key, Amount]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of a table that isn't what `reference` says; a missing one counts as 0."""

    table: str
    key: Key
    have: Amount
    reference: str
    want: Amount
    #: What stands between the KPI and its day, or the member of a dimension.
    of: str = "on"

    def __str__(self) -> str:
        kpi, place, currency = self.key
        on = f" {self.of} {place}" if place else ""
        have, want = (show(kpi, amount, currency) for amount in (self.have, self.want))
        return f"{self.table}: {kpi}{on}: {have}, {self.reference} says {want} {currency}".rstrip()


#: Currency ("" where there is none) to the total over all days.
Totals = dict[str, Amount]


@dataclass(slots=True)
class Proof:
    """`totals`: KPI to table to totals; the truth's, if there is one, stand apart: KPI to totals."""

    truth: dict[str, Totals] | None
    totals: dict[str, dict[str, Totals]] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    #: Dimension to the number of its members, and to the tables that have each right.
    members: dict[str, int] = field(default_factory=dict)
    member_tables: dict[str, list[str]] = field(default_factory=dict)

    def agreeing(self, kpi: str, currency: str | None = None) -> list[str]:
        """Tables that have this KPI right on every day, in one currency or in all."""
        wrong = {
            one.table
            for one in self.differences
            if one.of == "on" and one.key[0] == kpi and (currency is None or one.key[2] == currency)
        }
        return [table for table in self.totals[kpi] if table not in wrong]


def expected_from_truth(truth: dict[str, Any]) -> dict[Key, Amount]:
    """The truth's figures by day, and their totals."""
    found: dict[Key, Amount] = {}
    for kpi in KPIS:
        for row in truth["sessions_by_day" if kpi in WITHOUT_CURRENCY else "by_day"]:
            key = (kpi, date.fromisoformat(row["day"]), row.get("currency", ""))
            found[key] = row[f"{kpi}_minor" if kpi in MONEY else kpi]
    return _with_totals(found)


def members_from_truth(truth: dict[str, Any], dimension: Dimension) -> dict[Key, Amount]:
    """The truth's figures by the members of a dimension, over all days."""
    found: dict[Key, Amount] = {}
    for row in truth[dimension.rows]:
        member = " ".join(row[name] for name in dimension.member)
        for kpi in KPIS:
            value = row.get(f"{kpi}_minor" if kpi in MONEY else kpi)
            if value is not None:
                found[kpi, member, row.get("currency", "")] = value
    return found


def compare(figures: Figures, truth: dict[Key, Amount] | None) -> Proof:
    """Compare each table of TABLES with the truth; without one, with the first table that has the KPI.

    `figures`: table to its figures, as they are in it now; a table may be absent where it has no rows.
    """
    proof = Proof(None if truth is None else {kpi: _totals(_of(kpi, truth)) for kpi in KPIS})
    for kpi in KPIS:
        having = {table: _of(kpi, figures.get(table, {})) for table, kpis in TABLES.items() if kpi in kpis}
        proof.totals[kpi] = {table: _totals(having[table]) for table in having}
        expected = _with_totals(next(iter(having.values()))) if truth is None else _of(kpi, truth)
        for one in _differences(having, expected, truth is not None, "on"):
            if (one.table in WITHOUT_DAYS) == (one.key[1] is None):
                proof.differences.append(one)
    return proof


def compare_members(
    proof: Proof, name: str, dimension: Dimension, figures: Figures, truth: dict[Key, Amount] | None
) -> None:
    """Compare each table of a dimension, member by member, as `compare` does; what is found goes to `proof`."""
    found: list[Difference] = []
    members = {key[1] for key in truth or {}}
    for kpi in KPIS:
        having = {
            table: _of(kpi, figures.get(table, {})) for table, kpis in dimension.tables.items() if kpi in kpis
        }
        if not having:
            continue
        expected = next(iter(having.values())) if truth is None else _of(kpi, truth)
        members |= {key[1] for key in expected}
        found += _differences(having, expected, truth is not None, f"of {name}")
    wrong = {one.table for one in found}
    proof.members[name] = len(members)
    proof.member_tables[name] = [table for table in dimension.tables if table not in wrong]
    proof.differences += found


def _differences(having: Figures, expected: dict[Key, Amount], true: bool, of: str) -> Iterator[Difference]:
    reference = "the truth" if true else next(iter(having))
    for table, found in having.items():
        for key in sorted(expected.keys() | found.keys(), key=str):
            want, have = expected.get(key, 0), found.get(key, 0)
            if want != have:
                yield Difference(table, key, have, reference, want, of)


def show(kpi: str, amount: Amount, currency: str = "") -> str:
    """An amount for people: money in major units of its currency, counts as they are."""
    return currencies.amount(amount, currency) if kpi in MONEY else f"{amount:,}"


def _of(kpi: str, figures: dict[Key, Amount]) -> dict[Key, Amount]:
    return {key: value for key, value in figures.items() if key[0] == kpi}


def _with_totals(figures: dict[Key, Amount]) -> dict[Key, Amount]:
    """Daily figures, and their sums over all days."""
    found = dict(figures)
    for (kpi, _, currency), value in figures.items():
        found[kpi, None, currency] = found.get((kpi, None, currency), 0) + value
    return found


def _totals(figures: dict[Key, Amount]) -> Totals:
    """By currency, over all days; figures that have totals are not added up twice."""
    days = any(day for _, day, _ in figures)
    found: Totals = {}
    for (_, day, currency), value in figures.items():
        if (day is not None) == days:
            found[currency] = found.get(currency, 0) + value
    return found
