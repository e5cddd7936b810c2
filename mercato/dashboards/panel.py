"""What a dashboard is, whoever draws it: panels, each one question put to one table. Pure.

Guarantee: a panel that can't be drawn is refused when it is made: a time panel has a time, a stat one row of
values, a matrix its columns; and each panel reads exactly one table of `reports` or `ops`.
`to_grafana` makes Grafana's JSON of it, `draw` the pictures of the report.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Kind = Literal["stat", "lines", "bars", "ranking", "matrix", "table"]
Unit = Literal[
    "count", "share", "money", "seconds", "milliseconds", "bytes", "number", "text", "day", "moment"
]
Grain = Literal["day", "hour", "minute", "10 seconds"]

_TABLE = re.compile(r"(reports|ops)\.\w+(\(.*\))?")


class Words(NamedTuple):
    """A text in English and in French. `{currency}` stands for the chosen one."""

    en: str
    fr: str


@dataclass(frozen=True)
class Dim:
    """A column that tells rows apart. `column` is its name in the table, or an expression with `name`.

    `french` has the fixed words that it may hold, in French; names and codes, which it lacks, are the same everywhere.
    """

    column: str
    words: Words
    name: str = ""
    unit: Unit = "text"
    french: Mapping[str, str] = field(default_factory=dict)

    @property
    def alias(self) -> str:
        """Name in the result."""
        return self.name or self.column


@dataclass(frozen=True)
class Value:
    """A figure: its name in the result, the SQL that makes it, and what it is measured in."""

    name: str
    sql: str
    words: Words
    unit: Unit = "count"


@dataclass(frozen=True)
class Query:
    """One table, the figures wanted of it, and by what.

    `time` is the column on the x axis, of this `grain`; `period` a column that the chosen period restricts, if it
    isn't `time`. `filters` are variables with a column of their name. `limit` keeps the first rows of `order`.
    """

    table: str
    values: tuple[Value, ...]
    by: tuple[Dim, ...] = ()
    time: str = ""
    grain: Grain = "day"
    period: str = ""
    filters: tuple[str, ...] = ()
    where: str = ""
    having: str = ""
    order: str = ""
    limit: int = 0
    grouped: bool = True

    def __post_init__(self) -> None:
        if not _TABLE.fullmatch(self.table):
            raise ValueError(f"{self.table!r} is no table of reports or ops")


@dataclass(frozen=True)
class Step:
    """From this figure on, this colour: ok, warn or bad. The first has no lower end."""

    colour: Literal["ok", "warn", "bad"]
    start: float | None = None


@dataclass(frozen=True)
class Matrix:
    """The second dimension laid out in columns: its values in order, each with a heading."""

    column: str
    cells: tuple[tuple[str, str], ...]  # SQL literal, heading


@dataclass(frozen=True)
class Panel:
    """One picture. Width in 24ths of the page; `key` is its id, for ever."""

    key: str
    kind: Kind
    title: Words
    description: Words
    query: Query
    empty: Words
    width: int = 12
    height: int = 8
    steps: tuple[Step, ...] = ()
    matrix: Matrix | None = None
    stacked: bool = False

    def __post_init__(self) -> None:
        query = self.query
        if self.kind in ("lines", "bars"):
            if not query.time:
                raise ValueError(f"{self.key}: a panel over time needs a time column")
            if query.by and len(query.values) > 1:
                raise ValueError(f"{self.key}: either several figures or a dimension, not both")
        if self.kind == "ranking" and (len(query.by) != 1 or len(query.values) != 1):
            raise ValueError(f"{self.key}: a ranking has one dimension and one figure")
        if self.kind == "stat" and query.by:
            raise ValueError(f"{self.key}: a stat has no dimension")
        if (self.kind == "matrix") != (self.matrix is not None) or (self.matrix and len(query.by) != 1):
            raise ValueError(f"{self.key}: a matrix has one dimension down and one across")


@dataclass(frozen=True)
class Variable:
    """What a reader chooses: its values come from one column. `one`: exactly one of them at a time."""

    name: str
    words: Words
    sql: str
    one: bool = False


@dataclass(frozen=True)
class Dashboard:
    """A page for one kind of reader, in Grafana's folder of that name."""

    uid: str
    title: Words
    folder: Words
    description: Words
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()
    period: str = "now-30d"
    refresh: str = ""
    #: Not part of the report: it shows the last minutes.
    live: bool = False

    def __post_init__(self) -> None:
        keys = [panel.key for panel in self.panels]
        if len(set(keys)) != len(keys):
            raise ValueError(f"{self.uid} has a panel key twice")
        known = {variable.name for variable in self.variables}
        for panel in self.panels:
            if missing := set(panel.query.filters) - known:
                raise ValueError(f"{self.uid}: {panel.key} filters by {missing}, which isn't a variable here")
