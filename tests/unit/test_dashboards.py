"""Dashboards as code: what is committed is what the definitions make, and what they make is sound."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mercato.commands.report import last_week
from mercato.dashboards import alerts, build, letters
from mercato.dashboards.catalogue import DASHBOARDS
from mercato.dashboards.panel import Panel, Query, Value, Words
from mercato.dashboards.sql import Chosen, expand, grafana_sql, report_sql
from mercato.dashboards.to_grafana import dumps, panel_id
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


def test_no_two_things_have_one_id() -> None:
    uids = [one.uid for one in DASHBOARDS] + [rule.uid for rule in alerts.RULES]
    ids = [panel_id(dashboard, panel) for dashboard, panel in PANELS]
    assert len(set(uids)) == len(uids)
    assert len(set(ids)) == len(ids)
    assert max(map(len, uids)) <= 40, "Grafana's limit"


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


def test_every_rule_names_a_panel_and_escapes_what_grafana_would_expand() -> None:
    made = alerts.provisioning(DASHBOARDS)["groups"][0]["rules"]
    ids = {str(panel_id(dashboard, panel)): dashboard.uid for dashboard, panel in PANELS}
    for rule in made:
        notes = rule["annotations"]
        assert ids[notes["__panelId__"]] == notes["__dashboardUid__"]
        assert not re.search(r"(?<!\$)\$(?!\$)", notes["summary"] + rule["data"][0]["model"]["rawSql"])


def test_somebody_is_told_by_each_address_that_is_set_and_no_other() -> None:
    def kinds(*addresses: str) -> list[str]:
        return [one["type"] for one in alerts.contact_points(*addresses)["contactPoints"][0]["receivers"]]

    assert kinds("", "", "") == ["email"]
    assert kinds("a@b", "", "https://slack") == ["slack", "email"]
    assert kinds("", "https://hook", "") == ["webhook"]


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1971, 1, 1)))
def test_the_last_week_is_over_and_begins_on_a_monday(now: datetime) -> None:
    monday, sunday = last_week(now)
    assert (monday.isoweekday(), sunday.isoweekday()) == (1, 7)
    assert sunday.date() < now.date() <= sunday.date() + timedelta(days=7)
