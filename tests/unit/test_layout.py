"""Paper is filled, and nothing on it is cut: rows of panels are laid on pages."""

from dataclasses import replace
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from mercato.dashboards import layout
from mercato.dashboards.catalogue import DASHBOARDS
from mercato.dashboards.layout import Height, pages
from mercato.dashboards.picture import Picture

ROOM, GAP = 495.0, 9.0


@st.composite
def heights(draw: st.DrawFn) -> Height:
    least = draw(st.floats(30, ROOM))
    return Height(least, usual := draw(st.floats(least, ROOM)), draw(st.floats(usual, ROOM)))


@given(st.lists(heights(), max_size=14))
def test_no_row_is_lost_and_no_page_runs_over(rows: list[Height]) -> None:
    made = pages(rows, ROOM, GAP)
    drawn = list(chain(*made))
    assert len(drawn) == len(rows)
    for page in made:
        assert sum(page) + GAP * (len(page) - 1) <= ROOM + 1e-6
    for height, row in zip(drawn, rows, strict=True):
        assert row.least - 1e-6 <= height <= row.most + 1e-6


@given(st.lists(heights(), min_size=1, max_size=14))
def test_no_fewer_pages_would_do(rows: list[Height]) -> None:
    count, used = 1, -GAP
    for row in rows:
        if used + GAP + row.least > ROOM:
            count, used = count + 1, -GAP
        used += GAP + row.least
    assert len(pages(rows, ROOM, GAP)) == count


def test_a_last_page_is_not_left_with_a_single_row_where_two_pages_can_share() -> None:
    row = Height(100, 100, 100)
    assert [len(page) for page in pages([row] * 5, ROOM, GAP)] in ([3, 2], [2, 3])


def test_charts_take_the_room_that_a_page_has_over_and_tables_do_not() -> None:
    table, chart = Height(200, 200, 200), Height(130, 160, 250)
    assert pages([table, chart], ROOM, GAP) == [[200, 250]]
    assert pages([table, chart, Height(60, 60, 60)], ROOM, GAP) == [[200, ROOM - 2 * GAP - 260, 60]]
    assert pages([table, chart, Height(147, 147, 147)], ROOM, GAP) == [[200, 130, 147]]


def test_a_panel_is_as_high_as_what_it_has_to_show() -> None:
    panels = {panel.kind: panel for dashboard in DASHBOARDS for panel in dashboard.panels}

    def height(kind: str, rows: int) -> Height:
        picture = Picture("x", panels[kind], ("a",), tuple({"row": str(row)} for row in range(rows)))
        return layout.height(picture, "en", "EUR", 400)

    for kind in ("table", "ranking", "matrix"):
        assert height(kind, 5).least < height(kind, 12).least
    assert height("table", 5).most == height("table", 5).least
    assert height("lines", 5) == height("lines", 500)
    assert height("ranking", 0).most < height("ranking", 5).least, "it only says why it is empty"
    long = replace(panels["table"], description=panels["table"].description._replace(en="word " * 90))
    assert layout.head(long, "en", "", 200) > layout.head(panels["table"], "en", "", 200)
