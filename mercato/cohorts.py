"""Compares each cohort of customers with the truth file, month by month. Pure.

Guarantee: each cohort, month, currency and figure that differs in the facts or in a report is named, money to the
minor unit; one that is missing, or one too many, differs. A cohort is the month of its customers' first order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mercato import currencies
from mercato.currencies import Amount

#: The tables and the figures that each must have right.
TABLES = {
    "marts.fct_orders": ("customers", "orders", "gross_revenue"),
    "reports.rpt_cohort_retention": ("customers", "orders"),
    "reports.rpt_cohort_revenue": ("gross_revenue",),
}

#: One figure's place: KPI, cohort and month as YYYY-MM, currency ("" where it has none). Money is in minor units.
Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of a table that isn't what the truth says; a missing one counts as 0."""

    table: str
    key: Key
    have: Amount
    want: Amount

    def __str__(self) -> str:
        kpi, cohort, month, currency = self.key
        have, want = (
            currencies.amount(value, currency) if currency else f"{value:,}"
            for value in (self.have, self.want)
        )
        place = f"cohort {cohort}, {kpi} in {month}"
        return f"{self.table}: {place}: {have}, the truth says {want} {currency}".rstrip()


def expected(truth: dict[str, Any]) -> dict[Key, Amount]:
    """The truth's figures by cohort and month."""
    found: dict[Key, Amount] = {}
    for row in truth["by_cohort"]:
        for kpi in ("customers", "orders"):
            found[kpi, row["cohort"], row["month"], ""] = row[kpi]
    for row in truth["by_cohort_revenue"]:
        key = ("gross_revenue", row["cohort"], row["month"], row["currency"])
        found[key] = row["gross_revenue_minor"]
    return found


def compare(
    rows: Iterable[tuple[str, str, str, str, str, Amount]], truth: dict[str, Any]
) -> list[Difference]:
    """Compare what the tables have, rows of (table, KPI, cohort, month, currency, amount), with the truth."""
    want = expected(truth)
    tables: dict[str, dict[Key, Amount]] = {table: {} for table in TABLES}
    for table, *key, amount in rows:
        kpi, cohort, month, currency = key
        tables[table][kpi, cohort, month, currency] = currencies.exact(amount)
    return [
        Difference(table, key, have.get(key, 0), want.get(key, 0))
        for table, have in tables.items()
        for key in sorted(have.keys() | want.keys())
        if key[0] in TABLES[table] and have.get(key, 0) != want.get(key, 0)
    ]
