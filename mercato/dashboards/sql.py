"""A panel's query as SQL: with Grafana's macros, or with a period and the chosen values in their place. Pure.

Guarantee: one select of one table; both forms differ in nothing but the macros, and in that the report's keeps the
currency as a column, and gives a stat for each choice and for all of them: its reader chooses among exact figures.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from mercato.dashboards.panel import Panel, Query

#: What Grafana's choice "All" is sent as; a column is then not restricted, so a null in it counts, too.
ALL = "(all)"
_GRAIN = {
    "day": "{}",
    "hour": "date_trunc('hour', {}, 'UTC')",
    "minute": "date_trunc('minute', {}, 'UTC')",
    "10 seconds": "{}",
}


@dataclass(frozen=True)
class Chosen:
    """The period, from and up to, and for each variable its values; a variable that isn't named is All."""

    start: datetime
    end: datetime
    values: dict[str, tuple[str, ...]]


def grafana_sql(panel: Panel) -> str:
    """The statement as Grafana sends it, its macros and variables still in it."""
    query = panel.query
    time = panel.kind in ("lines", "bars")
    columns, groups = [], []
    if time:
        columns.append(f'cast({_truncated(query)} as timestamp{_zone(query)}) as "time"')
        groups.append("1")
        if query.by:
            name = " || ' · ' || ".join(f"coalesce({dim.column}, '–')" for dim in query.by)
            columns.append(f"{name} as metric")
            groups.append("2")
    else:
        columns += [f'{dim.column} as "{dim.alias}"' for dim in query.by]
        groups += [str(number + 1) for number in range(len(query.by))]
    columns += _figures(panel)
    return _select(query, columns, groups, order="1" if time else query.order)


def followed(panel: Panel) -> tuple[str, ...]:
    """The variables that the report's rows of the panel tell apart, so that its reader's choice is followed."""
    names = {dim.alias for dim in panel.query.by} | {"currency"}
    return tuple(name for name in panel.query.filters if panel.kind == "stat" or name in names)


def report_sql(panel: Panel, chosen: Chosen) -> str:
    """The statement for the report: time first, then the currency where it has one, the dimensions, the figures.

    A stat has the columns it is filtered by instead, and a row for each of their values and for all: an empty text.
    """
    query = panel.query
    columns, groups = [], []
    if panel.kind == "stat" and query.filters:
        return expand(_choices(panel), chosen)
    if panel.kind in ("lines", "bars"):
        columns.append(f'cast({_truncated(query)} as timestamp{_zone(query)}) as "time"')
    if "currency" in query.filters:
        columns.append('currency as "currency"')
    columns += [
        f'{dim.column} as "{dim.alias}"'
        for dim in query.by
        if dim.alias != "currency" or "currency" not in query.filters
    ]
    groups = [str(number + 1) for number in range(len(columns))]
    columns += _figures(panel)
    # The limit is of each choice: applied by the reader of the rows, who knows which is made.
    limited = not followed(panel)
    order = "1" if panel.kind in ("lines", "bars") else query.order
    return expand(_select(query, columns, groups, order=order, limited=limited), chosen)


def _choices(panel: Panel) -> str:
    free = [name for name in panel.query.filters if name != "currency"]
    columns = ['currency as "currency"'] if "currency" in panel.query.filters else []
    columns += [f"case when grouping({name}) = 1 then '' else {name} end as \"{name}\"" for name in free]
    groups = ["currency"] if "currency" in panel.query.filters else []
    groups += [f"cube ({', '.join(free)})"] if free else []
    return _select(panel.query, columns + _figures(panel), groups, order="")


def expand(sql: str, chosen: Chosen) -> str:
    """Put the period and the chosen values in the place of Grafana's macros and variables."""
    start, end = (_literal(f"{moment:%Y-%m-%dT%H:%M:%SZ}") for moment in (chosen.start, chosen.end))
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN {start} AND {end}", sql)
    sql = sql.replace("$__timeFrom()", start).replace("$__timeTo()", end)

    def values(match: re.Match[str]) -> str:
        return ",".join(map(_literal, chosen.values.get(match[1], (ALL,))))

    sql = re.sub(r"\$\{(\w+):sqlstring\}", values, sql)
    if "$" in re.sub(r"'[^']*'", "", sql):
        raise ValueError(f"a macro that nobody expands: {sql}")
    return sql


def _figures(panel: Panel) -> list[str]:
    if panel.matrix is None:
        return [f'{value.sql} as "{value.name}"' for value in panel.query.values]
    (value,) = panel.query.values
    return [
        f'{value.sql} filter (where {panel.matrix.column} = {cell}) as "{heading}"'
        for cell, heading in panel.matrix.cells
    ]


def _select(query: Query, columns: list[str], groups: list[str], *, order: str, limited: bool = True) -> str:
    conditions = [query.where] if query.where else []
    if period := query.period or query.time:
        conditions.append(f"$__timeFilter({period})")
    for name in query.filters:
        conditions.append(f"('{ALL}' in (${{{name}:sqlstring}}) or {name} in (${{{name}:sqlstring}}))")
    lines = ["select\n  " + ",\n  ".join(columns), f"from {query.table}"]
    if conditions:
        lines.append("where " + "\n  and ".join(conditions))
    if query.grouped and groups:
        lines.append("group by " + ", ".join(groups))
    if query.having:
        lines.append(f"having {query.having}")
    if order:
        lines.append(f"order by {order}")
    if query.limit and limited:
        lines.append(f"limit {query.limit}")
    return "\n".join(lines)


def _truncated(query: Query) -> str:
    return _GRAIN[query.grain].format(query.time)


def _zone(query: Query) -> str:
    return "" if query.grain == "day" else "tz"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
