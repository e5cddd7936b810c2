"""Dashboards as code: what is committed is what the definitions make, and what they make is sound."""

import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mercato.dashboards
from mercato.commands.report import last_week
from mercato.dashboards import build, charts, letters, page
from mercato.dashboards.catalogue import DASHBOARDS
from mercato.dashboards.panel import Panel, Query, Value, Words
from mercato.dashboards.picture import picture
from mercato.dashboards.sql import Chosen, expand, followed, grafana_sql, report_sql
from mercato.dashboards.to_grafana import dumps, panel_id, to_grafana
from mercato.dashboards.vocabulary import WHOLE
from mercato.dashboards.wording import figure

PANELS = [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard.panels]
CHOSEN = Chosen(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC), {})
each_panel = pytest.mark.parametrize(
    ("dashboard", "panel"), PANELS, ids=[f"{dashboard.uid}/{panel.key}" for dashboard, panel in PANELS]
)
each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=[one.uid for one in DASHBOARDS])


def test_the_committed_files_are_those_that_the_definitions_make() -> None:
    wanted = build.files()
    found = {
        path: path.read_text("utf-8")
        for path in [*build.FOLDER.rglob("*.json"), *build.ALERTING.glob("*.json")]
    }
    assert found.keys() == wanted.keys(), "run `python -m mercato.dashboards.build`"
    stale = [path.name for path, text in wanted.items() if found[path] != text]
    assert stale == [], "run `python -m mercato.dashboards.build`"


def test_an_edited_panel_changes_its_own_file_and_in_it_its_own_lines() -> None:
    first = DASHBOARDS[0]
    panel = replace(first.panels[0], title=Words("Another title", "Un autre titre"))
    edited = replace(first, panels=(panel, *first.panels[1:]))
    all_edited = (edited, *DASHBOARDS[1:])
    changed = [
        one.uid
        for one, was in zip(all_edited, DASHBOARDS, strict=True)
        if dumps(one, all_edited) != dumps(was, DASHBOARDS)
    ]
    assert changed == [first.uid]
    lines = zip(dumps(edited, all_edited).splitlines(), dumps(first, DASHBOARDS).splitlines(), strict=True)
    assert [now.strip() for now, was in lines if now != was] == ['"title": "Another title",']


def test_building_again_in_another_process_changes_no_byte(tmp_path: Path) -> None:
    wanted = {str(path): text for path, text in build.files().items()}
    told = (
        "import json; from mercato.dashboards import build;"
        " print(json.dumps({str(path): text for path, text in build.files().items()}))"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", told], env={**os.environ, "PYTHONHASHSEED": seed}, cwd=tmp_path,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert json.loads(done.stdout) == wanted


def test_a_stale_file_and_one_of_no_dashboard_are_put_right_and_nothing_else(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(build, "FOLDER", tmp_path / "dashboards")
    monkeypatch.setattr(build, "ALERTING", tmp_path / "alerting")
    assert set(build.write()) == set(build.files())
    assert build.write() == []
    stale, stray = next(iter(build.files())), tmp_path / "dashboards" / "gone.json"
    stale.write_text(stale.read_text().replace("Sales", "Sale", 1))
    stray.write_text("{}")
    assert set(build.write()) == {stale, stray}
    assert not stray.exists()
    assert stale.read_text("utf-8") == build.files()[stale]


def migrated(content):
    """As Grafana's own migration to schema 33 does: a data source's name becomes a reference."""
    if isinstance(content, list):
        return [migrated(one) for one in content]
    if isinstance(content, dict):
        return {
            name: {"type": "postgres", "uid": value} if name == "datasource" else migrated(value)
            for name, value in content.items()
        }
    return content


@each_dashboard
def test_grafanas_own_schema_takes_it_whole(dashboard) -> None:
    models = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    made = json.loads(dumps(dashboard, DASHBOARDS))
    read = models.Dashboard.from_json(migrated(json.loads(dumps(dashboard, DASHBOARDS))))
    assert (read.uid, read.title, read.schema_version) == (made["uid"], made["title"], 27)
    assert [panel.title for panel in read.panels] == [panel["title"] for panel in made["panels"]]
    assert [(panel.grid_pos.x, panel.grid_pos.w) for panel in read.panels] == [
        (panel["gridPos"]["x"], panel["gridPos"]["w"]) for panel in made["panels"]
    ]
    assert [one.name for one in read.templating.list_val] == [one.name for one in dashboard.variables]
    assert [panel.type_val for panel in read.panels] == [panel["type"] for panel in made["panels"]]


@each_dashboard
def test_panels_do_not_overlap_and_link_to_every_other_dashboard(dashboard) -> None:
    made = json.loads(dumps(dashboard, DASHBOARDS))
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in made["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
    assert {link["url"] for link in made["links"]} == {
        f"/d/{one.uid}" for one in DASHBOARDS if one is not dashboard
    }


@each_panel
def test_each_panel_is_a_select_of_one_table_and_explains_itself(dashboard, panel) -> None:
    sql = grafana_sql(panel)
    assert len(re.findall(r"\bfrom\b", re.sub(r"extract\([^)]*\)", "", sql))) == 1, sql
    assert not re.search(r"\b(join|union|with)\b", sql), sql
    for words in (panel.title, panel.description, panel.empty):
        assert words.en.strip()
        assert words.fr.strip()
    report_sql(panel, CHOSEN)  # nothing is left that nobody expands
    assert "mercato" not in panel.title.en


@each_panel
def test_a_panel_that_does_not_follow_a_choice_says_so(dashboard, panel) -> None:
    made = next(one for one in to_grafana(dashboard)["panels"] if one["id"] == panel_id(dashboard, panel))
    for choice in {one.name for one in dashboard.variables} & WHOLE.keys():
        followed = f"${{{choice}:sqlstring}}" in made["targets"][0]["rawSql"]
        assert (WHOLE[choice].en in made["description"]) is not followed


@each_panel
def test_a_choice_is_made_among_all_rows_not_among_the_first(dashboard, panel) -> None:
    """Else a country that isn't among the first fifteen would have had no visit."""
    limited = bool(panel.query.limit) and not followed(panel)
    assert ("\nlimit " in report_sql(panel, CHOSEN)) is limited
    assert ("\nlimit " in grafana_sql(panel)) is bool(panel.query.limit)


def test_a_macro_that_nobody_expands_is_refused() -> None:
    with pytest.raises(ValueError, match="macro"):
        expand("select $__unixEpochFilter(x)", CHOSEN)


def test_a_value_with_a_quote_stays_a_value() -> None:
    chosen = replace(CHOSEN, values={"country": ("x' or 'a'='a",)})
    assert expand("${country:sqlstring}", chosen) == "'x'' or ''a''=''a'"


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "lines"},  # no time
        {"kind": "ranking"},  # no dimension
        {"kind": "matrix"},  # no columns
    ],
)
def test_a_panel_that_can_not_be_drawn_is_refused(wrong) -> None:
    words = Words("x", "x")
    query = Query("reports.rpt_daily_sales", (Value("a", "sum(a)", words),))
    with pytest.raises(ValueError, match="x:"):
        Panel(key="x", title=words, description=words, query=query, empty=words, **wrong)


@pytest.mark.parametrize(
    "table", ["raw.events", "marts.fct_orders", "reports.a, reports.b", "reports.a; drop table x"]
)
def test_a_table_beyond_the_readers_is_refused(table) -> None:
    with pytest.raises(ValueError, match="no table"):
        Query(table, ())


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2100)), st.floats(20, 400))
def test_a_text_never_leaves_its_room(text, room) -> None:
    assert letters.width(letters.fit(text, 8, room), 8) <= room
    assert "".join(letters.wrap(text, 8, room)).replace(" ", "") == "".join(text.split())


@pytest.mark.parametrize(
    ("value", "unit", "currency", "en", "fr"),
    [
        (Decimal("20452.580"), "money", "EUR", "20,452.58", "20 452,58"),
        (Decimal("87816.000"), "money", "JPY", "87,816", "87 816"),
        (Decimal("1.005"), "money", "KWD", "1.005", "1,005"),
        (Decimal("-0.0412"), "share", "", "-4.1%", "-4,1 %"),
        (None, "share", "", "–", "–"),
        (12_059, "count", "", "12,059", "12 059"),
        (90, "seconds", "", "1.5 min", "1,5 min"),
    ],
)
def test_figures_are_written_as_their_readers_do(value, unit, currency, en, fr) -> None:
    assert figure(value, unit, "en", currency) == en
    assert figure(value, unit, "fr", currency).replace("\u202f", " ") == fr


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1971, 1, 1)))
def test_the_last_week_is_over_and_begins_on_a_monday(now: datetime) -> None:
    monday, sunday = last_week(now)
    assert (monday.isoweekday(), sunday.isoweekday()) == (1, 7)
    assert sunday.date() < now.date() <= sunday.date() + timedelta(days=7)


def words_in(thing: object) -> Iterator[Words]:
    """Every text in two languages that it holds, however deep."""
    if isinstance(thing, Words):
        yield thing
    elif is_dataclass(thing) and not isinstance(thing, type):
        for one in fields(thing):
            yield from words_in(getattr(thing, one.name))
    elif isinstance(thing, dict):
        yield from words_in(tuple(thing.values()))
    elif isinstance(thing, tuple | list):
        for one in thing:
            yield from words_in(one)


WORDS = {
    words
    for module in pkgutil.iter_modules(mercato.dashboards.__path__)
    for thing in vars(import_module(f"mercato.dashboards.{module.name}")).values()
    for words in words_in(thing)
}
#: The same in both languages.
SAME = {"DAG", "Dimension", "Gini", "Lift", "Pages", "Segment", "Source", "Tests", "Type"}
#: What a sender, the shop, a person or the project has named: shown as it is. Units aside, all else is a fixed word.
NAMES = {
    "category", "channel", "country", "currency", "detail", "error", "event", "layer", "message", "name",
    "bought_with", "product", "product_id", "property", "reason", "source", "task", "type", "user_id", "dag_id",
    "month", "cohort_month",
}  # fmt: skip


def test_every_fixed_text_is_translated() -> None:
    assert len(WORDS) > 300
    assert {words.en for words in WORDS if words.en == words.fr} <= SAME


def test_every_text_of_the_data_is_a_name_or_has_its_french() -> None:
    dims = [dim for _, panel in PANELS for dim in panel.query.by if dim.unit == "text"]
    assert {dim.alias for dim in dims if not dim.french} == NAMES


class Texts(HTMLParser):
    """What a page shows, and the titles in its charts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.inside.pop() if self.inside and self.inside[-1] == tag else None

    def handle_data(self, data: str) -> None:
        if self.inside[-1:] != ["script"] and self.inside[-1:] != ["style"]:
            self.found.add(data.strip(" ,"))


def titles(spec: object) -> Iterator[str]:
    if isinstance(spec, dict):
        yield from (str(spec["title"]),) if spec.get("title") else ()
        yield from (one for part in spec.values() for one in titles(part))
    elif isinstance(spec, list):
        yield from (one for part in spec for one in titles(part))


def test_a_french_page_has_no_english_text_of_ours() -> None:
    rows = {"currency": "EUR", "country": "FR", "channel": "paid", "event": "page"}
    drawn = []
    for dashboard in [one for one in DASHBOARDS if not one.live]:
        pictures = []
        for panel in dashboard.panels:
            names = [dim.alias for dim in panel.query.by] + [value.name for value in panel.query.values]
            names += [heading for _, heading in panel.matrix.cells] if panel.matrix else []
            row = {"time": CHOSEN.start} | dict.fromkeys(names, 1) | rows
            pictures.append(picture(dashboard, panel, [row], "fr"))
        drawn.append((dashboard, pictures))
    parser = Texts()
    parser.feed(page.html(drawn, "fr", "EUR", ["EUR"], "2026"))
    shown = parser.found
    panels = [one.panel for _, ones in drawn for one in ones]
    content = {
        title
        for panel in panels
        if charts.is_chart(panel)
        for title in titles(charts.spec(panel, "fr", 9, 9))
    }
    english = {re.sub(r",? ?\{currency\}.*", "", words.en) for words in WORDS if words.en != words.fr}
    french = {re.sub(r",? ?\{currency\}.*", "", words.fr) for words in WORDS}
    assert (shown | content) & (english - french) == set()
    assert {"Ventes", "CA net", "Retard au départ, en secondes"} <= shown
    assert {"Quand", "Combien"} <= content
    series = {row["series"] for _, ones in drawn for one in ones for row in one.rows if "series" in row}
    assert not series & (english - french)


def test_a_word_of_the_data_is_french_on_a_french_page_and_a_name_stays() -> None:
    dashboard, panel = next(
        (dashboard, panel)
        for dashboard, panel in PANELS
        if (dashboard.uid, panel.key) == ("mercato-data", "quality")
    )
    rows = [{"dimension": "validity", "measure": "of another version", "score": Decimal("0.981")}]
    assert picture(dashboard, panel, rows, "fr").rows[0]["cells"] == [
        "validité",
        "of another version",
        "98,1\u202f%",
    ]
    assert picture(dashboard, panel, rows, "en").rows[0]["cells"] == [
        "validity",
        "of another version",
        "98.1%",
    ]
