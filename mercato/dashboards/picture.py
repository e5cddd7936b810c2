"""A panel's rows made ready to be drawn, for the page and for paper alike. Pure.

Guarantee: what is shown comes from the rows as the database gave them; texts of figures are made here, once, from the
exact numbers. Rows keep the columns that a reader filters by.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from mercato.dashboards.panel import Dashboard, Dim, Panel, Unit
from mercato.dashboards.wording import Lang, figure, percent, say

Row = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """A panel with its rows.

    `rows` of charts: `time`, `series`, `value` (lines, bars), `name`, `value`, `text` (ranking), `row`, `column`,
    `value`, `text` (matrix). Of stats and tables: `cells`, texts in the order of `headings`. All have `filters`, in
    which those of a stat are empty texts where all values of a column count.
    """

    uid: str
    panel: Panel
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    #: Of stats: the colour of each row's first figure.
    colours: tuple[str, ...] = ()

    def chosen(self, currency: str) -> "Picture":
        """Only what is in this currency, or in none, and no more rows than the panel wants; a stat's row of all."""
        kept = [
            number
            for number, row in enumerate(self.rows)
            if row["filters"].get("currency", currency) == currency
            and (self.panel.kind != "stat" or set(row["filters"].values()) <= {"", currency})
        ]
        if self.panel.query.limit:
            kept = kept[: self.panel.query.limit]
        return Picture(
            self.uid,
            self.panel,
            self.headings,
            tuple(self.rows[number] for number in kept),
            tuple(self.colours[number] for number in kept) if self.colours else (),
        )


def picture(dashboard: Dashboard, panel: Panel, rows: list[Row], lang: Lang) -> Picture:
    """Make ready what `report_sql` brought."""
    make = {"stat": _cells, "table": _cells, "ranking": _ranking, "matrix": _matrix}.get(panel.kind, _series)
    shown = [row for row in rows if any(row.get(name) is not None for name in _figures(panel))]
    if panel.kind == "stat":  # nobody can choose what has no name; all of them hold it
        shown = [row for row in shown if None not in _filters(panel, row).values()]
    headings = tuple(say(dim.words, lang) for dim in panel.query.by if panel.kind == "table")
    headings += tuple(say(value.words, lang) for value in panel.query.values)
    colours = tuple(_colour(panel, row) for row in shown) if panel.kind == "stat" else ()
    return Picture(
        dashboard.uid, panel, headings, tuple(one for row in shown for one in make(panel, row, lang)), colours
    )


def _figures(panel: Panel) -> list[str]:
    if panel.matrix:
        return [heading for _, heading in panel.matrix.cells]
    return [value.name for value in panel.query.values]


def _filters(panel: Panel, row: Row) -> Row:
    return {name: row[name] for name in panel.query.filters if name in row}


def _cells(panel: Panel, row: Row, lang: Lang) -> list[Row]:
    currency = str(row.get("currency", ""))
    cells = [_name(dim, row, lang) for dim in panel.query.by if panel.kind == "table"]
    cells += [figure(row[value.name], value.unit, lang, currency) for value in panel.query.values]
    return [{"filters": _filters(panel, row), "cells": cells}]


def _ranking(panel: Panel, row: Row, lang: Lang) -> list[Row]:
    (dim,), (value,) = panel.query.by, panel.query.values
    text = figure(row[value.name], value.unit, lang, str(row.get("currency", "")))
    name = _name(dim, row, lang)
    return [{"filters": _filters(panel, row), "name": name, "value": float(row[value.name]), "text": text}]


def _series(panel: Panel, row: Row, lang: Lang) -> list[Row]:
    found = []
    for value in panel.query.values:
        if row[value.name] is None:
            continue
        series = " · ".join(_name(dim, row, lang) for dim in panel.query.by)
        text = figure(row[value.name], value.unit, lang, str(row.get("currency", "")))
        found.append(
            {
                "filters": _filters(panel, row), "time": _moment(row["time"]),
                "series": series or say(value.words, lang),
                "value": float(row[value.name]), "text": text,
            }
        )  # fmt: skip
    return found


def _matrix(panel: Panel, row: Row, lang: Lang) -> list[Row]:
    assert panel.matrix  # noqa: S101  as Panel has checked
    (dim,), (value,) = panel.query.by, panel.query.values
    currency, unit = str(row.get("currency", "")), value.unit
    return [
        {
            "filters": _filters(panel, row), "row": _name(dim, row, lang), "column": heading,
            "value": float(row[heading]), "text": _short(row[heading], unit, lang, currency),
        }
        for _, heading in panel.matrix.cells
        if row[heading] is not None
    ]  # fmt: skip


def _name(dim: Dim, row: Row, lang: Lang) -> str:
    text = figure(row[dim.alias], dim.unit, lang)
    return dim.french.get(text, text) if lang == "fr" else text


def _short(value: Any, unit: Unit, lang: Lang, currency: str) -> str:
    """In a small cell: whole per cents and whole units of money."""
    if unit == "money":
        return figure(round(value), "count", lang)
    if unit == "share":
        return percent(value, 0, lang)
    return figure(value, unit, lang, currency)


def _moment(value: datetime | date) -> str:
    """ISO 8601 in UTC, as Vega reads it."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return f"{value:%Y-%m-%d}"


def _colour(panel: Panel, row: Row) -> str:
    value, colour = row[panel.query.values[0].name], ""
    for step in panel.steps:
        if step.start is None or (value is not None and float(value) >= step.start):
            colour = step.colour
    return colour
