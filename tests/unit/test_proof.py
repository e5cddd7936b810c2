"""The comparison that a verdict rests on: no wrong figure passes, no right one is accused."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercato import currencies
from mercato.proof import KPIS, TABLES, WITHOUT_CURRENCY, WITHOUT_DAYS, Key, compare

DAYS = st.integers(0, 5).map(lambda day: date(2026, 11, 1) + timedelta(days=day))


def key(kpi: str, day: date, currency: str) -> Key:
    return kpi, day, "" if kpi in WITHOUT_CURRENCY else currency


FIGURES: st.SearchStrategy[dict[Key, int]] = st.dictionaries(
    st.builds(key, st.sampled_from(KPIS), DAYS, st.sampled_from(["EUR", "JPY"])),
    st.integers(-(10**9), 10**9).filter(bool),
    min_size=1,
    max_size=20,
)


def with_totals(figures: dict[Key, int]) -> dict[Key, int]:
    found = dict(figures)
    for (kpi, _, currency), value in figures.items():
        found[kpi, None, currency] = found.get((kpi, None, currency), 0) + value
    return found


def tables_of(figures: dict[Key, int]) -> dict[str, dict[Key, int]]:
    """What right tables hold."""
    return {
        table: {
            one: value
            for one, value in with_totals(figures).items()
            if one[0] in kpis and (one[1] is None) == (table in WITHOUT_DAYS)
        }
        for table, kpis in TABLES.items()
    }


@given(FIGURES)
def test_tables_that_say_the_truth_are_not_accused(figures: dict[Key, int]) -> None:
    assert compare(tables_of(figures), with_totals(figures)).differences == []
    assert compare(tables_of(figures), None).differences == []


@given(FIGURES, st.data())
def test_one_changed_missing_or_invented_figure_is_found_and_named(
    figures: dict[Key, int], data: st.DataObject
) -> None:
    tables = tables_of(figures)
    table = data.draw(st.sampled_from(sorted(name for name in tables if tables[name])))
    wrong = data.draw(st.sampled_from(sorted(tables[table], key=str)))
    match data.draw(st.sampled_from(["change", "drop", "invent"])):
        case "change":
            tables[table][wrong] += data.draw(st.sampled_from([-1, 1]))
        case "drop" if tables[table][wrong] != 0:
            del tables[table][wrong]
        case _:
            wrong = (wrong[0], None if wrong[1] is None else date(2027, 1, 1), "ZZZ")
            tables[table][wrong] = 1
    found = compare(tables, with_totals(figures)).differences
    assert [(one.table, one.key) for one in found] == [(table, wrong)]
    assert table in str(found[0])
    assert compare(tables, None).differences or all(
        table == name for name, kpis in TABLES.items() if wrong[0] in kpis
    )


@given(FIGURES)
def test_an_emptied_table_is_all_wrong_not_excused(figures: dict[Key, int]) -> None:
    for table, rows in tables_of(figures).items():
        found = compare({**tables_of(figures), table: {}}, with_totals(figures)).differences
        assert {one.key for one in found} == {one for one, value in rows.items() if value}


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123456, "EUR", "1,234.56"),
        (-5, "EUR", "-0.05"),
        (123456, "JPY", "123,456"),
        (1234567, "KWD", "1,234.567"),
    ],
)
def test_an_amount_is_shown_with_the_decimals_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert currencies.amount(minor, currency) == text
