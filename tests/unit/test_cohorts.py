"""Cohorts beside the truth: no wrong figure passes, no right one is accused."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mercato.cohorts import TABLES, compare, expected

MONTHS = st.sampled_from(["2026-10", "2026-11", "2026-12"])
TRUTHS = st.builds(
    lambda counts, money: {
        "by_cohort": [
            {"cohort": cohort, "month": month, "customers": many, "orders": many + 1}
            for (cohort, month), many in counts.items()
        ],
        "by_cohort_revenue": [
            {"cohort": cohort, "month": month, "currency": currency, "gross_revenue_minor": amount}
            for (cohort, month, currency), amount in money.items()
        ],
    },
    st.dictionaries(st.tuples(MONTHS, MONTHS), st.integers(1, 9), min_size=1),
    st.dictionaries(st.tuples(MONTHS, MONTHS, st.sampled_from(["EUR", "JPY"])), st.integers(1, 10**9)),
)


def rows_of(truth: dict[str, Any]) -> list[tuple[str, str, str, str, str, int]]:
    """What right tables hold; a report has months without an order as zeros."""
    rows = [
        (table, *key, amount)
        for table, kpis in TABLES.items()
        for key, amount in expected(truth).items()
        if key[0] in kpis
    ]
    return [*rows, ("reports.rpt_cohort_retention", "orders", "2026-10", "2027-01", "", 0)]


@given(TRUTHS)
def test_tables_that_say_the_truth_are_not_accused(truth: dict[str, Any]) -> None:
    assert compare(rows_of(truth), truth) == []


@given(TRUTHS, st.data())
def test_one_changed_missing_or_invented_figure_is_found_and_named(
    truth: dict[str, Any], data: st.DataObject
) -> None:
    rows = rows_of(truth)
    place = data.draw(st.integers(0, len(rows) - 2))
    table, *key, amount = rows[place]
    match data.draw(st.sampled_from(["change", "drop", "invent"])):
        case "change":
            rows[place] = (table, *key, amount + 1)
        case "drop":
            del rows[place]
        case _:
            key[1] = "2025-01"
            rows.append((table, *key, amount))
    (found,) = compare(rows, truth)
    assert (found.table, found.key) == (table, tuple(key))
    assert all(word in str(found) for word in (table, key[0], key[1], key[2]))
