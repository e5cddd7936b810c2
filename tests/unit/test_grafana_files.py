"""What Grafana is provisioned with: nothing in it that Grafana would refuse, rewrite, or read as something else.

The rules are those of grafana/grafana `pkg/services/provisioning` and `pkg/services/ngalert/models`, of 9.3 to 13.
"""

import json
import os
import re
from typing import Any

import pytest
import yaml

from mercato.dashboards import alerts, build
from mercato.dashboards.catalogue import DASHBOARDS
from mercato.dashboards.panel import Dashboard, Panel
from mercato.dashboards.to_grafana import DATASOURCE, panel_id, to_grafana

PROVISIONING = build.ALERTING.parent
#: What all know of @grafana/data 7.5, 8.5, 9.5, 10.4, 11.6 and 13.2, and @grafana/schema 10.4, 11.6, 12.4 and 13.2.
UNITS = {"locale", "percentunit", "s", "ms", "bytes", "short", "dateTimeAsIso"}
COLOURS = {"thresholds", "palette-classic", "continuous-BlPu", "continuous-blues"}
OPTIONS = {
    "stat": {"reduceOptions", "colorMode", "graphMode", "textMode"},
    "timeseries": {"legend", "tooltip"},
    "bargauge": {"reduceOptions", "orientation", "displayMode", "showUnfilled"},
    "table": {"showHeader"},
}
CUSTOM = {
    "stat": set(),
    "timeseries": {
        "drawStyle",
        "fillOpacity",
        "lineWidth",
        "showPoints",
        "spanNulls",
        "stacking",
        "thresholdsStyle",
    },
    "bargauge": set(),
    "table": {"displayMode", "align"},
}
#: Of 7.5, too, which has no `none` for a stat's colour and then leaves the text as it is.
MODES = {
    "colorMode": {"value", "none"}, "graphMode": {"none"}, "textMode": {"auto", "value_and_name"},
    "orientation": {"horizontal"}, "displayMode": {"basic", "color-background", "auto"}, "drawStyle": {"line", "bars"},
    "showPoints": {"never", "auto"}, "align": {"center"},
}  # fmt: skip
PANELS = [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard.panels]
GROUP = alerts.provisioning(DASHBOARDS)["groups"][0]
rules = pytest.mark.parametrize("rule", GROUP["rules"], ids=[rule["uid"] for rule in GROUP["rules"]])


def seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([smhd])", text).groups()
    return int(number) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[unit]


def interpolated(text: str) -> str:
    """As Grafana's `values.interpolateValue`: names in braces first, then, in what came of it, all names."""

    def value(name: re.Match[str]) -> str:
        return os.environ.get(name[1], "")

    parts = (re.sub(r"\$\{([^}]+)\}", value, part) for part in text.split("$$"))
    return "$".join(re.sub(r"\$\{?(\w+)\}?", value, part) for part in parts)


def test_no_two_things_have_one_id() -> None:
    """Over all kinds: Grafana keeps each kind's apart, people and links don't."""
    told = alerts.contact_points("a@b", "https://hook", "https://slack")["contactPoints"][0]["receivers"]
    provisioning = build.ALERTING.parent
    (source,) = yaml.safe_load((provisioning / "datasources" / "warehouse.yaml").read_text())["datasources"]
    uids = [one.uid for one in DASHBOARDS] + [rule.uid for rule in alerts.RULES]
    uids += [one["uid"] for one in told] + [source["uid"]]
    ids = [panel_id(dashboard, panel) for dashboard, panel in PANELS]
    assert len(told) == 3
    assert len(set(uids)) == len(uids)
    assert len(set(ids)) == len(ids)
    assert max(map(len, uids)) <= 40, "Grafana's limit"
    assert source["uid"] == DATASOURCE == source["name"]
    titles = [rule.title for rule in alerts.RULES]
    assert len(set(titles)) == len(titles), "Grafana refuses two of a folder"
    # Folders have no uid here: Grafana makes one of each title, so two dashboards' folders are one by title alone.
    assert alerts.FOLDER not in {one.folder.en for one in DASHBOARDS}


@pytest.mark.parametrize(
    ("dashboard", "panel"), PANELS, ids=[f"{dashboard.uid}/{panel.key}" for dashboard, panel in PANELS]
)
def test_a_panel_names_nothing_that_a_grafana_of_7_5_to_13_does_not_know(
    dashboard: Dashboard, panel: Panel
) -> None:
    made = next(one for one in to_grafana(dashboard)["panels"] if one["id"] == panel_id(dashboard, panel))
    defaults = made["fieldConfig"]["defaults"]
    overrides = [one for each in made["fieldConfig"]["overrides"] for one in each["properties"]]
    assert made["options"].keys() == OPTIONS[made["type"]]
    assert defaults["custom"].keys() <= CUSTOM[made["type"]]
    units = {defaults.get("unit", "short")} | {one["value"] for one in overrides if one["id"] == "unit"}
    assert {unit for unit in units if not unit.startswith("time:")} <= UNITS
    assert defaults["color"]["mode"] in COLOURS
    assert {one["id"] for one in overrides} <= {"displayName", "unit", "decimals", "custom.displayMode"}
    for name, value in (made["options"] | defaults["custom"]).items():
        assert name not in MODES or value in MODES[name]
    first, *others = defaults["thresholds"]["steps"]
    assert first["value"] is None
    assert [step["value"] for step in others] == sorted(step["value"] for step in others)


@rules
def test_a_rule_is_one_that_grafana_takes(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", rule["uid"])
    assert 0 < len(rule["title"]) <= 190
    assert rule["noDataState"] in {"OK", "NoData", "Alerting"}
    assert rule["execErrState"] in {"OK", "Error", "Alerting"}
    assert seconds(rule["for"]) % seconds(GROUP["interval"]) == 0, "it would wait for the next round anyway"
    assert rule["for"] == alerts.RULES[GROUP["rules"].index(rule)].lasting
    asked, judged = rule["data"]
    assert rule["condition"] == judged["refId"] == judged["model"]["refId"]
    assert judged["model"]["expression"] == asked["refId"] == asked["model"]["refId"]
    assert (asked["datasourceUid"], judged["datasourceUid"]) == (DATASOURCE, "__expr__")
    assert asked["relativeTimeRange"]["from"] > asked["relativeTimeRange"]["to"]
    assert judged["model"]["type"] == "threshold"
    ((condition, *others),) = [judged["model"]["conditions"]]
    assert condition["evaluator"]["type"] in {"gt", "lt"}
    assert not others
    assert len(condition["evaluator"]["params"]) == 1
    for query in (asked, judged):  # else Grafana adds them, and what it has isn't what the file says
        assert (query["model"]["intervalMs"], query["model"]["maxDataPoints"]) == (1_000, 43_200)
    ids = {str(panel_id(dashboard, panel)): dashboard.uid for dashboard, panel in PANELS}
    assert ids[rule["annotations"]["__panelId__"]] == rule["annotations"]["__dashboardUid__"]


def test_the_group_is_asked_in_grafanas_own_steps() -> None:
    assert seconds(GROUP["interval"]) % 10 == 0


def test_no_text_of_rules_and_policies_has_a_dollar() -> None:
    """In some fields, and versions, Grafana reads `$x` as an environment variable, in others `$$x` as it stands."""
    for name in ("rules", "policies"):
        assert "$" not in (build.ALERTING / f"{name}.json").read_text("utf-8")


def test_a_rules_text_names_its_labels_and_its_number_as_people_write_it() -> None:
    assert alerts.summary("{%} of {source} in {#}, {×} times") == (
        "{{ humanizePercentage .Values.A.Value }} of {{ .Labels.source }} in"
        ' {{ printf "%.0f" .Values.A.Value }}, {{ printf "%.1f" .Values.A.Value }} times'
    )
    for rule in GROUP["rules"]:
        rest = re.sub(r"\{\{ [^{}]+ \}\}", "", rule["annotations"]["summary"])
        assert not re.search(r"[{}]", rest), rest


@pytest.mark.parametrize("value", ["plain", "a$b", "pa$$w0rd$", "${HOME}", "$HOME"])
def test_a_value_from_the_environment_arrives_whole(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    names = set()
    for path in PROVISIONING.rglob("*.*"):
        for name in re.findall(r"\$\{?(\w+)\}?", path.read_text("utf-8")):
            names.add(name)
            monkeypatch.setenv(name, value)
    assert {"WAREHOUSE_PASSWORD", "DASHBOARDS_FOLDER", "MERCATO_ALERTS__WEBHOOK"} <= names
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "warehouse.yaml").read_text())["datasources"]
    (dashboards,) = yaml.safe_load((PROVISIONING / "dashboards" / "mercato.yaml").read_text())["providers"]
    (told,) = json.loads((build.ALERTING / "contact-points.json").read_text())["contactPoints"]
    given = [source["secureJsonData"]["password"], source["url"], dashboards["options"]["path"]]
    given += [setting for one in told["receivers"] for setting in one["settings"].values()]
    assert {interpolated(text) for text in given} == {value}


def test_a_policy_tells_somebody_that_there_is_of_rules_that_there_are() -> None:
    (tree,) = alerts.policies()["policies"]
    (told,) = alerts.contact_points("", "", "")["contactPoints"]
    labels = {(name, value) for rule in GROUP["rules"] for name, value in rule["labels"].items()}
    for route in (tree, *tree["routes"]):
        assert route["receiver"] == told["name"]
        assert (
            seconds(route["group_wait"])
            <= seconds(tree["group_interval"])
            <= seconds(route["repeat_interval"])
        )
    for route in tree["routes"]:
        for matcher in route["matchers"]:
            assert tuple(matcher.split(" = ")) in labels, "a route that nothing takes"


@pytest.mark.parametrize("set_to", [("", "", ""), ("a@b", "", "https://slack"), ("", "https://hook", "")])
def test_an_address_that_is_set_no_more_is_told_no_more(set_to: tuple[str, str, str]) -> None:
    """Grafana keeps a receiver that a file no longer has, until a file deletes it."""
    made = alerts.contact_points(*set_to)
    ((told),) = made["contactPoints"]
    kept = {one["uid"] for one in told["receivers"]}
    gone = {one["uid"] for one in made["deleteContactPoints"]}
    assert kept, "Grafana would delete the contact point that the policies name, and not start"
    assert not kept & gone
    assert kept | gone == {"mercato-webhook", "mercato-slack", "mercato-email"}


def test_somebody_is_told_by_each_address_that_is_set_and_no_other() -> None:
    def kinds(*addresses: str) -> list[str]:
        return [one["type"] for one in alerts.contact_points(*addresses)["contactPoints"][0]["receivers"]]

    assert kinds("", "", "") == ["email"]
    assert kinds("a@b", "", "https://slack") == ["slack", "email"]
    assert kinds("", "https://hook", "") == ["webhook"]
