"""Compares the KPIs of every mart and report with the truth file, or with each other. Pure.

Guarantee: each day, currency and KPI that differs in any table is named, money to the minor unit; a table
that lacks a day, or has one too many, differs.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

#: KPIs in the order they are shown. Money is in minor units.
KPIS = (
    "orders", "units", "gross_revenue", "discounts", "refunds", "net_revenue", "shipping", "tax",
    "sessions", "converted_sessions",
)  # fmt: skip
MONEY = {"gross_revenue", "discounts", "refunds", "net_revenue", "shipping", "tax"}
#: A session has no currency.
WITHOUT_CURRENCY = {"sessions", "converted_sessions"}

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
        return (
            f"{self.table}: {kpi}{on}: {show(kpi, self.have)}, "
            f"{self.reference} says {show(kpi, self.want)} {currency}"
        ).rstrip()


@dataclass(slots=True)
class Proof:
    """`totals`: KPI to table to the total over all days; the truth, if there is one, stands apart."""

    truth: dict[str, int] | None
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    def agreeing(self, kpi: str) -> list[str]:
        """Tables that have this KPI right on every day."""
        wrong = {one.table for one in self.differences if one.key[0] == kpi}
        return [table for table in self.totals[kpi] if table not in wrong]


def expected_from_truth(truth: dict[str, Any]) -> dict[Key, int]:
    """The truth's figures by day, and their totals."""
    found: dict[Key, int] = {}
    for kpi in KPIS:
        for row in truth["sessions_by_day" if kpi in WITHOUT_CURRENCY else "by_day"]:
            key = (kpi, date.fromisoformat(row["day"]), row.get("currency", ""))
            found[key] = row[f"{kpi}_minor" if kpi in MONEY else kpi]
    return _with_totals(found)


def compare(tables: dict[str, dict[Key, int]], truth: dict[Key, int] | None) -> Proof:
    """Compare each table's figures with the truth; without one, with the first table that has the KPI."""
    proof = Proof(None if truth is None else {kpi: _total(_of(kpi, truth)) for kpi in KPIS})
    for kpi in KPIS:
        having = {name: figures for name in tables if (figures := _of(kpi, tables[name]))}
        proof.totals[kpi] = {name: _total(figures) for name, figures in having.items()}
        if truth is not None:
            reference, expected = "the truth", _of(kpi, truth)
        elif having:
            reference = next(iter(having))
            expected = _with_totals(having[reference])
        else:
            continue
        if not having and any(expected.values()):
            proof.differences.append(Difference("no table", (kpi, None, ""), 0, reference, _total(expected)))
        for name, figures in having.items():
            daily = any(day for _, day, _ in figures)  # by day or for the whole period, not both
            for key in sorted(expected.keys() | figures.keys(), key=str):
                want, have = expected.get(key, 0), figures.get(key, 0)
                if daily == (key[1] is not None) and want != have:
                    proof.differences.append(Difference(name, key, have, reference, want))
    return proof


def show(kpi: str, amount: int) -> str:
    """An amount for people: money in major units of two places, counts as they are."""
    return f"{amount / 100:,.2f}" if kpi in MONEY else f"{amount:,}"


def _of(kpi: str, figures: dict[Key, int]) -> dict[Key, int]:
    return {key: value for key, value in figures.items() if key[0] == kpi}


def _with_totals(figures: dict[Key, int]) -> dict[Key, int]:
    """Daily figures, and their sums over all days."""
    found = dict(figures)
    for (kpi, _, currency), value in figures.items():
        found[kpi, None, currency] = found.get((kpi, None, currency), 0) + value
    return found


def _total(figures: dict[Key, int]) -> int:
    totals = [value for (_, day, _), value in figures.items() if day is None]
    return sum(totals) if totals else sum(figures.values())
