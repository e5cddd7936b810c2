"""Panels as Vega-Lite. Draws without a browser and without a network: vl-convert carries its own engine and fonts.

Guarantee: the page's charts and the paper's are one specification; only their sizes and data differ.
"""

import json
import re
from functools import cache
from typing import Any, Literal

import vl_convert

from mercato.dashboards import letters
from mercato.dashboards.panel import Panel, Words
from mercato.dashboards.picture import Picture
from mercato.dashboards.wording import Lang, say

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
INK, PALE, BLUE = "#1f2933", "#66727f", "#2f6f9f"
PALETTE = ["#2f6f9f", "#e0893b", "#4f9d69", "#b24a5c", "#7d6bb0", "#8c6d52", "#d0799f", "#6f7d8c", "#b5a642", "#3fa7b5",
           "#a05195", "#f2b84b"]  # fmt: skip
_VERSION = "6.4"
_TIME = {"day": "utcyearmonthdate", "hour": "utcyearmonthdatehours"}
#: The least that a time axis shows, in ms.
_SPAN = {"day": 6 * 86_400_000, "hour": 11 * 3_600_000, "minute": 11 * 60_000}
_FORMATS = {"share": "%", "count": "~s", "money": "~s", "milliseconds": "~s", "seconds": "~s"}
#: By what a tick stands at, 24 hours a day.
_TICKS = {"year": "%Y", "quarter": "%b %Y", "month": "%b %Y", "week": "%-d %b", "date": "%-d %b", "day": "%-d %b",
          "hours": "%H:%M", "minutes": "%H:%M", "seconds": "%H:%M:%S"}  # fmt: skip
_LOCALES: dict[Lang, Literal["en-US", "fr-FR"]] = {"en": "en-US", "fr": "fr-FR"}


def is_chart(panel: Panel) -> bool:
    """Whether the panel is drawn as a chart, not as text."""
    return panel.kind not in ("stat", "table")


def spec(panel: Panel, lang: Lang, width: float | str, height: float) -> dict[str, Any]:
    """The panel's Vega-Lite, its rows to come under the name `rows`."""
    make = {"ranking": _ranking, "matrix": _matrix}.get(panel.kind, _series)
    size = 9 if width != "container" else 11
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": width, "height": height, "background": None,
        "autosize": {"type": "fit", "contains": "padding"}, "padding": 2,
        "data": {"name": "rows"},
        "config": {
            "font": FONT, "text": {"fontSize": size}, "view": {"stroke": None}, "range": {"category": PALETTE},
            "axis": {"labelColor": PALE, "titleColor": PALE, "labelFontSize": size, "gridColor": "#e4e7eb",
                     "domain": False,
                     "tickColor": "#e4e7eb"},
            "legend": {"labelFontSize": size, "labelColor": INK, "title": None, "orient": "bottom", "symbolSize": 50,
                       "offset": 8,
                       "columns": 8, "labelLimit": 120, "columnPadding": 12},
        },
        **make(panel, lang),
    }  # fmt: skip


def svg(picture: Picture, lang: Lang, width: float, height: float) -> str:
    """The picture as SVG of this size in points, its ids its own, so that several stand on one page."""
    drawn = spec(picture.panel, lang, width, height)
    series = {str(row.get("series")) for row in picture.rows}
    if len(series) > 1:  # what fits beneath, each with its symbol
        widest = max(letters.width(name, 9) for name in series) + 26
        drawn["config"]["legend"]["columns"] = max(2, int(width / widest))
    drawn["data"] = {"values": [_plain(row) for row in picture.rows]}
    text = vl_convert.vegalite_to_svg(
        json.dumps(drawn),
        vl_version=_VERSION,
        format_locale=_LOCALES[lang],
        time_format_locale=_LOCALES[lang],
    )
    # Places to a hundredth of a point, and nothing for readers of a page: a third of the size.
    text = re.sub(r' (?:aria-\w+|role)="[^"]*"', "", text)
    text = re.sub(r'\b(?:d|transform)="[^"]*"', lambda place: re.sub(r"(\.\d\d)\d+", r"\1", place[0]), text)
    own = re.sub(r"\W", "", f"{picture.uid}{picture.panel.key}")
    return re.sub(r'(id="|url\(#|href="#)', rf"\1{own}", text)


def locales(lang: Lang) -> dict[str, Any]:
    """Formats of numbers and times, as vega-embed takes them."""
    return {
        "formatLocale": vl_convert.get_format_locale(_LOCALES[lang]),
        "timeFormatLocale": vl_convert.get_time_format_locale(_LOCALES[lang]),
    }


@cache
def engine() -> str:
    """Vega, Vega-Lite and vega-embed as one script that sets `window.vegaEmbed`."""
    return vl_convert.javascript_bundle(
        "window.vegaEmbed = vegaEmbed; window.vega = vega;", vl_version=_VERSION
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "filters"}


def _series(panel: Panel, lang: Lang) -> dict[str, Any]:
    unit, grain = panel.query.values[0].unit, panel.query.grain
    bars = panel.kind == "bars"
    x: dict[str, Any] = {"field": "time", "type": "temporal", "title": None, "scale": {"type": "utc"},
                         "axis": {"grid": False, "labelOverlap": True, "labelSeparation": 8, "tickCount": 8,
                                  "format": _TICKS}}  # fmt: skip
    several = bool(panel.query.by) or len(panel.query.values) > 1
    encoding: dict[str, Any] = {
        "x": {**x, "timeUnit": _TIME[grain]} if bars else x,
        "y": {"field": "value", "type": "quantitative", "title": None, "stack": "zero" if panel.stacked else None,
              "axis": {"format": _FORMATS.get(unit, "~s"), "tickCount": 5}},
        "tooltip": [{"field": "time", "type": "temporal", "title": say(_WHEN, lang), "format": _when(panel)},
                    {"field": "series", "title": say(_WHAT, lang)}, {"field": "text", "title": say(_HOW_MUCH, lang)}],
    }  # fmt: skip
    if several:
        order = None if panel.query.by else [say(value.words, lang) for value in panel.query.values]
        encoding["color"] = {"field": "series", "type": "nominal", **({"sort": order} if order else {})}
    color = {} if several else {"color": BLUE}
    daily = grain == "day"
    mark: dict[str, Any] = {"type": "line", "strokeWidth": 1.8 if daily else 1.2}
    if bars:  # between hundreds of hours gaps would be all there is to see
        opaque = panel.stacked or not several
        mark = {"type": "bar", "binSpacing": 1 if daily else 0, "opacity": 1 if opaque else 0.75}
    # A series of one or two moments has no line to see: its points are large. Points of many hours are but noise; one
    # is kept, of no size, as Vega warns of a layer without any.
    size = {"condition": {"test": "datum.points < 3", "value": 36}, "value": 12 if daily else 0}
    few = "datum.points < 3 || datum.at === datum.first"
    points = {
        "mark": {"type": "point", "filled": True, "opacity": 1, **color},
        "encoding": {**encoding, "size": size},
        "transform": [] if daily else [{"filter": few}],
    }
    # Nothing to see, but a single hour would else be a bar as wide as the chart.
    ghost = {
        "mark": {"type": "point", "opacity": 0},
        "encoding": {"x": {**x, "field": "since"}},
        "transform": [{"filter": "datum.at === datum.first"}],
    }
    ends = [{"op": "min", "field": "at", "as": "first"}, {"op": "max", "field": "at", "as": "last"}]
    return {
        "transform": [
            {"calculate": "toDate(datum.time)", "as": "at"},
            {"joinaggregate": ends},
            {"calculate": f"min(datum.first, datum.last - {_SPAN[grain]})", "as": "since"},
            {"joinaggregate": [{"op": "count", "as": "points"}], "groupby": ["series"]},
        ],
        "layer": [{"mark": mark | color, "encoding": encoding}, *([] if bars else [points]), ghost],
    }


def _ranking(panel: Panel, lang: Lang) -> dict[str, Any]:
    name = {"field": "name", "type": "nominal", "sort": None, "title": None,
            "axis": {"labelLimit": 150, "ticks": False, "labelColor": INK}}  # fmt: skip
    amount = {"field": "value", "type": "quantitative", "title": None, "axis": None}
    tip = [
        {"field": "name", "title": say(panel.query.by[0].words, lang)},
        {"field": "text", "title": say(_HOW_MUCH, lang)},
    ]
    return {
        "transform": [{"joinaggregate": [{"op": "max", "field": "value", "as": "most"}]},
                      {"calculate": "1.3 * datum.most", "as": "room"}],
        "encoding": {"y": name},
        "layer": [
            {"mark": {"type": "bar", "color": BLUE, "height": {"band": 0.7}},
             "encoding": {"x": amount, "tooltip": tip}},
            {"mark": {"type": "text", "align": "left", "dx": 4, "color": INK},
             "encoding": {"x": amount, "text": {"field": "text"}}},
            # Nothing to see: keeps room at the right for the figures beside the bars.
            {"mark": {"type": "point", "opacity": 0}, "encoding": {"x": {"field": "room", "type": "quantitative"}}},
        ],
    }  # fmt: skip


def _matrix(panel: Panel, lang: Lang) -> dict[str, Any]:
    assert panel.matrix  # noqa: S101  as Panel has checked
    axis = {"ticks": False, "labelAngle": 0, "labelColor": INK}
    order = [heading for _, heading in panel.matrix.cells]
    x: dict[str, Any] = {
        "field": "column",
        "type": "nominal",
        "scale": {"domain": order},
        "title": None,
        "axis": {**axis, "orient": "top"},
    }
    y: dict[str, Any] = {"field": "row", "type": "nominal", "sort": "ascending", "title": None, "axis": axis}
    tip = [{"field": "row", "title": say(panel.query.by[0].words, lang)}, {"field": "column", "title": " "},
           {"field": "text", "title": say(_HOW_MUCH, lang)}]  # fmt: skip
    dark = "datum.value > 0.6 * datum.most"
    return {
        "transform": [{"joinaggregate": [{"op": "max", "field": "value", "as": "most"}]}],
        "encoding": {"x": x, "y": y, "tooltip": tip},
        "layer": [
            {"mark": {"type": "rect", "stroke": "white"},
             "encoding": {"color": {"field": "value", "type": "quantitative", "legend": None,
                                    "scale": {"scheme": "blues", "domainMin": 0}}}},
            {"mark": {"type": "text"},
             "encoding": {"text": {"field": "text"},
                          "color": {"value": INK, "condition": {"test": dark, "value": "white"}}}},
        ],
    }  # fmt: skip


def _when(panel: Panel) -> str:
    return "%Y-%m-%d" if panel.query.grain == "day" else "%Y-%m-%d %H:%M"


_WHEN = Words("When", "Quand")
_WHAT = Words("What", "Quoi")
_HOW_MUCH = Words("How much", "Combien")
