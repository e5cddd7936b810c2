"""The comparison that a verdict rests on: no wrong figure passes, no right one is accused."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercato import currencies
from mercato.currencies import Amount
from mercato.proof import (
    DIMENSIONS,
    KPIS,
    MONEY,
    TABLES,
    WITHOUT_CURRENCY,
    WITHOUT_DAYS,
    Dimension,
    Key,
    Proof,
    compare,
    compare_members,
    members_from_truth,
)

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


@given(st.sampled_from(sorted(DIMENSIONS)), st.data())
def test_one_wrong_member_of_a_product_country_or_channel_is_found_and_named(
    name: str, data: st.DataObject
) -> None:
    dimension = DIMENSIONS[name]
    rows = data.draw(truth_rows(dimension))
    truth = members_from_truth({dimension.rows: rows}, dimension)
    tables = {
        table: {one: value for one, value in truth.items() if one[0] in kpis}
        for table, kpis in dimension.tables.items()
    }
    proof = Proof(None)
    compare_members(proof, name, dimension, tables, truth)
    compare_members(proof, name, dimension, tables, None)
    assert proof.differences == []
    assert proof.member_tables[name] == list(dimension.tables)

    table = data.draw(st.sampled_from(sorted(tables)))
    kpi = data.draw(st.sampled_from(dimension.tables[table]))
    wrong = data.draw(
        st.sampled_from([one for one in tables[table] if one[0] == kpi] + [(kpi, "Atlantis", "ZZZ")])
    )
    tables[table][wrong] = tables[table].get(wrong, 0) + 1
    compare_members(proof, name, dimension, tables, truth)
    assert [(one.table, one.key) for one in proof.differences] == [(table, wrong)]
    assert f" of {name} {wrong[1]}: " in str(proof.differences[0])
    assert table not in proof.member_tables[name]


def truth_rows(dimension: Dimension) -> st.SearchStrategy[list[dict[str, object]]]:
    """Rows of the truth, one a member, with each KPI that a table of the dimension has."""
    kpis = {kpi for one in dimension.tables.values() for kpi in one}
    names = st.text("abcdef", min_size=1, max_size=3)
    row = st.fixed_dictionaries(
        {**dict.fromkeys(dimension.member, names), "currency": st.just("EUR")}
        | {f"{kpi}_minor" if kpi in MONEY else kpi: st.integers(1, 10**9) for kpi in sorted(kpis)}
    )
    return st.lists(
        row, min_size=1, max_size=5, unique_by=lambda one: tuple(one[name] for name in dimension.member)
    )


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123456, "EUR", "1,234.56"),
        (-5, "EUR", "-0.05"),
        (123456, "JPY", "123,456"),
        (1234567, "KWD", "1,234.567"),
        (Decimal("100.01"), "JPY", "100.01"),
    ],
)
def test_an_amount_is_shown_with_the_decimals_of_its_currency(
    minor: Amount, currency: str, text: str
) -> None:
    assert currencies.amount(minor, currency) == text
