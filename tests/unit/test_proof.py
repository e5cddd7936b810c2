"""The comparison that a verdict rests on: no wrong figure passes, no right one is accused."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mercato.proof import KPIS, Key, compare

DAYS = st.integers(0, 5).map(lambda day: date(2026, 11, 1) + timedelta(days=day))
FIGURES: st.SearchStrategy[dict[Key, int]] = st.dictionaries(
    st.tuples(st.sampled_from(KPIS), DAYS, st.sampled_from(["EUR", "JPY"])),
    st.integers(-(10**9), 10**9).filter(bool),
    min_size=1,
    max_size=20,
)


def with_totals(figures: dict[Key, int]) -> dict[Key, int]:
    found = dict(figures)
    for (kpi, _, currency), value in figures.items():
        found[kpi, None, currency] = found.get((kpi, None, currency), 0) + value
    return found


@given(FIGURES)
def test_tables_that_say_the_truth_are_not_accused(figures: dict[Key, int]) -> None:
    totals = {key: value for key, value in with_totals(figures).items() if key[1] is None}
    assert compare({"a": figures, "b": dict(figures), "c": totals}, with_totals(figures)).differences == []
    assert compare({"a": figures, "b": dict(figures), "c": totals}, None).differences == []


@given(FIGURES, st.data())
def test_one_changed_missing_or_invented_figure_is_found_and_named(
    figures: dict[Key, int], data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(figures, key=str)))
    wrong = dict(figures)
    match data.draw(st.sampled_from(["change", "drop", "invent"])):
        case "change":
            wrong[key] += data.draw(st.sampled_from([-1, 1]))
        case "drop":
            del wrong[key]
        case _:
            key = (key[0], date(2027, 1, 1), key[2])
            wrong[key] = 1
    others_of_the_kpi = [other for other in wrong if other[0] == key[0]]
    if not others_of_the_kpi:
        return  # the table doesn't have the KPI at all: that is its shape, not an error
    found = compare({"right": figures, "wrong": wrong}, with_totals(figures)).differences
    assert [(one.table, one.key) for one in found] == [("wrong", key)]
    assert str(key[1]) in str(found[0])


@given(FIGURES)
def test_a_kpi_that_no_table_has_is_a_difference(figures: dict[Key, int]) -> None:
    found = compare({}, with_totals(figures)).differences
    assert {one.key[0] for one in found} >= {key[0] for key in figures}
