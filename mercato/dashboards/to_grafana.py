"""A dashboard as Grafana's JSON, of a form that Grafana 7.5 to 13 read. Pure.

Guarantee: the same definition gives the same bytes, and a panel's id is its own: one edited panel changes its own
lines. What that span of versions asks for: schemaVersion 27 (newer ones migrate it), the data source by its
name, panels that all have: stat, timeseries, bargauge, table.
"""

import json
import zlib
from typing import Any

from mercato.dashboards.panel import Dashboard, Panel, Unit, Value, Variable, Words
from mercato.dashboards.sql import ALL, grafana_sql
from mercato.dashboards.vocabulary import WHOLE

DATASOURCE = "mercato"
TAG = "mercato"
SCHEMA_VERSION = 27
COLOURS = {"ok": "green", "warn": "orange", "bad": "red"}
_UNITS: dict[Unit, dict[str, Any]] = {
    "count": {"unit": "locale", "decimals": 0},
    "share": {"unit": "percentunit", "decimals": 1},
    "money": {"unit": "locale"},
    "seconds": {"unit": "s"},
    "milliseconds": {"unit": "ms"},
    "bytes": {"unit": "bytes"},
    "number": {"unit": "short"},
    "day": {"unit": "time: YYYY-MM-DD"},
    "moment": {"unit": "dateTimeAsIso"},
    "text": {},
}


def dumps(dashboard: Dashboard, others: tuple[Dashboard, ...]) -> str:
    """The file's text; `others` are linked to."""
    return json.dumps(to_grafana(dashboard, others), indent=2, ensure_ascii=False) + "\n"


def to_grafana(dashboard: Dashboard, others: tuple[Dashboard, ...] = ()) -> dict[str, Any]:
    """The dashboard as Grafana's object."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title.en,
        "description": dashboard.description.en,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 0,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "utc",
        "time": {"from": dashboard.period, "to": "now"},
        "refresh": dashboard.refresh,
        "timepicker": {"refresh_intervals": ["5s", "30s", "1m", "5m", "30m"]},
        "annotations": {"list": []},
        "links": [_link(other) for other in others if other.uid != dashboard.uid],
        "templating": {"list": [_variable(one) for one in dashboard.variables]},
        "panels": _panels(dashboard),
    }


def _link(other: Dashboard) -> dict[str, Any]:
    return {
        "type": "link",
        "title": other.title.en,
        "tooltip": other.description.en,
        "url": f"/d/{other.uid}",
        "icon": "dashboard",
        "tags": [],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": not other.live,
        "targetBlank": False,
    }


def _variable(variable: Variable) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": variable.name,
        "label": variable.words.en,
        "type": "query",
        "datasource": DATASOURCE,
        "query": variable.sql,
        "definition": variable.sql,
        "refresh": 1,  # when the dashboard is opened
        "sort": 0,
        "hide": 0,
        "regex": "",
        "skipUrlSync": False,
        "multi": not variable.one,
        "includeAll": not variable.one,
        "options": [],
        "current": {},
    }
    if not variable.one:
        # Sent as it is, so quoted here: a column is then not restricted at all.
        found |= {"allValue": f"'{ALL}'", "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}
    return found


def _panels(dashboard: Dashboard) -> list[dict[str, Any]]:
    placed, x, y, row = [], 0, 0, 0
    for panel in dashboard.panels:
        if x + panel.width > 24:
            x, y, row = 0, y + row, 0
        placed.append(_panel(dashboard, panel, {"x": x, "y": y, "w": panel.width, "h": panel.height}))
        x, row = x + panel.width, max(row, panel.height)
    return placed


def panel_id(dashboard: Dashboard, panel: Panel) -> int:
    """Grafana's number of the panel: of its key, so that moving it changes no link."""
    return zlib.crc32(f"{dashboard.uid}/{panel.key}".encode()) % 1_000_000_007


def _panel(dashboard: Dashboard, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    time = panel.kind in ("lines", "bars")
    kind = {"stat": "stat", "lines": "timeseries", "bars": "timeseries", "ranking": "bargauge"}.get(
        panel.kind, "table"
    )
    return {
        "id": panel_id(dashboard, panel),
        "type": kind,
        "title": _text(panel.title),
        "description": _description(dashboard, panel),
        "datasource": DATASOURCE,
        "gridPos": place,
        "targets": [
            {
                "refId": "A",
                "datasource": DATASOURCE,
                "format": "time_series" if time else "table",
                "rawQuery": True,
                "rawSql": grafana_sql(panel),
            }
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _options(panel),
    }


def _description(dashboard: Dashboard, panel: Panel) -> str:
    """With the choices that the panel doesn't follow, for Grafana shows its rows while they are made."""
    choices = {one.name for one in dashboard.variables} - set(panel.query.filters)
    return " ".join(
        [_text(panel.description), *(f"{words.en}." for name, words in WHOLE.items() if name in choices)]
    )


def _defaults(panel: Panel) -> dict[str, Any]:
    values = panel.query.values
    units = {value.unit for value in values}
    found: dict[str, Any] = {
        "noValue": _text(panel.empty),
        "color": {"mode": "thresholds" if panel.steps else "palette-classic"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"color": COLOURS[step.colour], "value": step.start} for step in panel.steps]
            or [{"color": "blue", "value": None}],
        },
        "custom": {},
    }
    if len(units) == 1:
        found |= _UNITS[units.pop()]
    if panel.kind in ("lines", "bars"):
        found["custom"] = {
            "drawStyle": "bars" if panel.kind == "bars" else "line",
            "fillOpacity": 70 if panel.kind == "bars" else 8,
            "lineWidth": 1 if panel.kind == "bars" else 2,
            "showPoints": "never" if panel.kind == "bars" else "auto",  # a lone point has no line to see
            "spanNulls": False,  # a gap is a gap
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        }
        found["color"] = {"mode": "palette-classic"}
        if panel.steps:
            found["custom"]["thresholdsStyle"] = {"mode": "line"}
    elif panel.kind == "matrix":
        found["custom"] = {"displayMode": "color-background", "align": "center"}
        found["color"] = {"mode": "continuous-BlPu"}
    elif panel.kind == "ranking":
        found["min"] = 0
        if not panel.steps:
            found["color"] = {"mode": "continuous-blues"}
    return found


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    if panel.kind == "ranking" or (panel.kind in ("lines", "bars") and panel.query.by):
        return []
    found = []
    if panel.kind in ("table", "matrix"):
        found += [_override(dim.alias, dim.words, dim.unit) for dim in panel.query.by]
        if panel.kind == "matrix":  # names aren't figures: no colour
            return [
                {**one, "properties": [*one["properties"], {"id": "custom.displayMode", "value": "auto"}]}
                for one in found
            ]
    several = len({value.unit for value in panel.query.values}) > 1
    return found + [_value_override(value, several) for value in panel.query.values]


def _override(column: str, words: Words, unit: Unit) -> dict[str, Any]:
    properties = [{"id": "displayName", "value": _text(words)}]
    properties += [{"id": name, "value": value} for name, value in _UNITS[unit].items()]
    return {"matcher": {"id": "byName", "options": column}, "properties": properties}


def _value_override(value: Value, several: bool) -> dict[str, Any]:
    return _override(value.name, value.words, value.unit if several else "text")


def _options(panel: Panel) -> dict[str, Any]:
    reduce = {"calcs": ["lastNotNull"], "values": False, "fields": "/.*/"}
    if panel.kind == "stat":
        return {
            "reduceOptions": reduce,
            "colorMode": "value" if panel.steps else "none",
            "graphMode": "none",
            "textMode": "auto" if len(panel.query.values) == 1 else "value_and_name",
        }
    if panel.kind == "ranking":
        return {
            "reduceOptions": {**reduce, "values": True, "fields": "", "limit": panel.query.limit or 25},
            "orientation": "horizontal",
            "displayMode": "basic",
            "showUnfilled": False,
        }
    if panel.kind in ("lines", "bars"):
        return {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi"},
        }
    return {"showHeader": True}


def _text(words: Words) -> str:
    return words.en.replace("{currency}", "${currency}")
