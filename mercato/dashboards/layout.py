"""Which rows of panels go on which page, and how high each is drawn. Pure.

Guarantee: rows keep their order and are never divided; as few pages as the rows' least heights allow, and of the
ways to do that the one that fills them most evenly. What room a page then has over, or lacks, its charts take or give.
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from mercato.dashboards import letters
from mercato.dashboards.panel import Panel
from mercato.dashboards.picture import Picture
from mercato.dashboards.wording import Lang, say

ROW = 21.0  # points of one row of the grid
LINE = 12.5  # of a table
SMALL = 8.0  # size of a description
PAD = 18.0  # left and right of a panel's content, together
_MATRIX_TOP = 26.0  # the headings of a matrix
#: How much lower and higher than in the grid a chart over time may be drawn.
_LEAST, _MOST = 0.8, 1.5
#: Points of a bar of a ranking and of a line of a matrix: least, usual, most.
_BAR, _CELLS = (12.5, 16.0, 22.0), (15.0, 19.0, 24.0)


@dataclass(frozen=True)
class Height:
    """How low, how high a row is best drawn, and how high it may be."""

    least: float
    usual: float
    most: float


def head(panel: Panel, lang: Lang, currency: str, width: float) -> float:
    """Points of title and description."""
    return 33 + (SMALL + 2) * len(letters.wrap(say(panel.description, lang, currency), SMALL, width - PAD))


def height(picture: Picture, lang: Lang, currency: str, width: float) -> Height:
    """Of one panel: a table is as high as its lines, a chart has room for its bars."""
    panel = picture.panel
    top = head(panel, lang, currency, width)
    if not picture.rows:
        lines = letters.wrap(say(panel.empty, lang, currency), 9, width - PAD)
        return Height(*[top + 14 + 11 * len(lines)] * 3)
    if panel.kind == "stat":
        return Height(*[top + (34 if len(picture.headings) == 1 else 48)] * 3)
    if panel.kind == "table":
        return Height(*[top + 12 + LINE * (len(picture.rows) + 1)] * 3)
    if panel.kind == "ranking":
        return Height(*(top + 8 + bar * len(picture.rows) for bar in _BAR))
    if panel.kind == "matrix":
        down = len({row["row"] for row in picture.rows})
        return Height(*(top + _MATRIX_TOP + cell * down for cell in _CELLS))
    return Height(_LEAST * panel.height * ROW, panel.height * ROW, _MOST * panel.height * ROW)


def beside(panels: list[Height], room: float) -> Height:
    """Of panels beside each other, none higher than a page."""
    return Height(*(min(room, max(sizes)) for sizes in zip(*map(_sizes, panels), strict=True)))


def pages(rows: list[Height], room: float, gap: float) -> list[list[float]]:
    """The heights of the rows of each page, in their order; `gap` is between two."""

    @cache
    def best(first: int) -> tuple[float, tuple[int, ...]]:
        """The cost of the rows from this one on, and where their pages end."""
        if first == len(rows):
            return 0.0, ()
        found = []
        for end in range(first + 1, len(rows) + 1):
            free = room - gap * (end - first - 1)
            if end > first + 1 and sum(row.least for row in rows[first:end]) > free:
                break
            empty = max(0.0, 1 - sum(row.usual for row in rows[first:end]) / free)
            cost, ends = best(end)
            found.append((1 + empty**2 / 10 + cost, (end, *ends)))  # a page more is never better
        return min(found)

    starts = (0, *best(0)[1])
    return [_fitted(rows[start:end], room - gap * (end - start - 1)) for start, end in pairwise(starts)]


def _fitted(rows: list[Height], room: float) -> list[float]:
    over = room - sum(row.usual for row in rows)
    give = [row.most - row.usual if over > 0 else row.usual - row.least for row in rows]
    share = min(1.0, abs(over) / (sum(give) or 1.0)) * (1 if over > 0 else -1)
    return [row.usual + share * some for row, some in zip(rows, give, strict=True)]


def _sizes(one: Height) -> tuple[float, float, float]:
    return one.least, one.usual, one.most
