"""The report on paper: A4 pages, lying, one or more a dashboard, as a PDF.

Guarantee: nothing is cut off. A text that is too long for its place ends in …, rows that don't fit are counted in a
last line, a panel without rows says why it is empty. The same rows give the same pages.
"""

import io
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

import vl_convert
from pypdf import PdfReader, PdfWriter

from mercato.dashboards import layout, letters
from mercato.dashboards.charts import FONT, INK, PALE, is_chart, svg
from mercato.dashboards.layout import LINE, PAD, SMALL
from mercato.dashboards.panel import Dashboard, Words
from mercato.dashboards.picture import Picture
from mercato.dashboards.vocabulary import CURRENCY
from mercato.dashboards.wording import Lang, say

WIDTH, HEIGHT, MARGIN = 842, 595, 34
TOP, BOTTOM = 72, 28  # of head and foot
ROOM = HEIGHT - TOP - BOTTOM
GAP = 9  # points between panels
COLOURS = {"ok": "#3f8f5f", "warn": "#c77d1b", "bad": "#b83232", "": INK}
_MORE = Words("and {} more", "et {} de plus")


class _Page(NamedTuple):
    """A page's dashboard, and what is drawn on it."""

    dashboard: Dashboard
    content: str


def pdf(dashboards: list[tuple[Dashboard, list[Picture]]], lang: Lang, currency: str, period: str) -> bytes:
    """The whole report as one PDF."""
    pages: list[_Page] = []
    first = {}
    for dashboard, pictures in dashboards:
        rows, heights = _rows(pictures, lang, currency)
        first[dashboard.uid] = len(pages)
        left = iter(rows)
        pages += [
            _Page(dashboard, _stacked(left, chosen, TOP, MARGIN, lang, currency))
            for chosen in layout.pages(heights, ROOM, GAP)
        ]
    writer = PdfWriter()
    for number, page in enumerate(pages, 1):
        drawn = vl_convert.svg_to_pdf(_svg(page, lang, currency, period, f"{number} / {len(pages)}"))
        writer.append(PdfReader(io.BytesIO(drawn)))
    writer.add_metadata({"/Title": f"mercato · {period}", "/Producer": "mercato"})
    for dashboard, _ in dashboards:
        writer.add_outline_item(title=say(dashboard.title, lang), page_number=first[dashboard.uid])
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def poster(pictures: list[Picture], lang: Lang, currency: str) -> str:
    """A dashboard's panels as one SVG, as high as it needs."""
    rows, heights = _rows(pictures, lang, currency)
    usual = [row.usual for row in heights]
    content = _stacked(iter(rows), usual, 0, 0, lang, currency)
    return _document(WIDTH - 2 * MARGIN, sum(usual) + GAP * (len(usual) - 1), content)


def _rows(
    pictures: list[Picture], lang: Lang, currency: str
) -> tuple[list[list[Picture]], list[layout.Height]]:
    """Panels beside each other, as the grid's width takes them, and the heights that each row may have."""
    rows: list[list[Picture]] = []
    free = 0
    for one in pictures:
        if one.panel.width > free:
            rows.append([])
            free = 24
        rows[-1].append(one.chosen(currency))
        free -= one.panel.width
    return rows, [
        layout.beside([layout.height(one, lang, currency, _wide(one)) for one in row], ROOM) for row in rows
    ]


def _stacked(
    rows: Iterator[list[Picture]], heights: list[float], y: float, margin: float, lang: Lang, currency: str
) -> str:
    """As many of the rows as there are heights, beneath each other."""
    parts = []
    for height in heights:
        x = margin
        for one in next(rows):
            parts.append(_panel(one, lang, currency, x, y, _wide(one), height))
            x += _wide(one) + GAP
        y += height + GAP
    return "".join(parts)


def _wide(picture: Picture) -> float:
    """Points of a panel's width, its share of the page's."""
    return picture.panel.width / 24 * (WIDTH - 2 * MARGIN + GAP) - GAP


def _svg(page: _Page, lang: Lang, currency: str, period: str, number: str) -> str:
    title = say(page.dashboard.title, lang)
    head = [
        _text(MARGIN, 42, title, 20, weight="bold"),
        _text(MARGIN, 60, say(page.dashboard.description, lang), 10, PALE),
        _text(WIDTH - MARGIN, 42, period, 10, anchor="end"),
        _text(
            WIDTH - MARGIN,
            60,
            currency if CURRENCY in page.dashboard.variables else "",
            10,
            PALE,
            anchor="end",
        ),
        _text(MARGIN, HEIGHT - 14, "mercato", 8, PALE),
        _text(WIDTH - MARGIN, HEIGHT - 14, number, 8, PALE, anchor="end"),
    ]
    return _document(WIDTH, HEIGHT, "".join(head) + page.content)


def _document(width: float, height: float, inner: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}" font-family="{FONT}">'
        f'<rect width="{width:g}" height="{height:g}" fill="white"/>{inner}</svg>'
    )


def _panel(one: Picture, lang: Lang, currency: str, x: float, y: float, width: float, height: float) -> str:
    title, inner = say(one.panel.title, lang, currency), width - PAD
    size = max(7.5, min(10.5, 10.5 * inner / letters.width(title, 10.5, bold=True)))
    parts = [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4" fill="none" '
        'stroke="#dde2e8"/>',
        _text(x + 9, y + 17, letters.fit(title, size, inner, bold=True), size, weight="bold"),
    ]
    lines = letters.wrap(say(one.panel.description, lang, currency), SMALL, inner)
    parts += [
        _text(x + 9, y + 29 + (SMALL + 2) * number, line, SMALL, PALE) for number, line in enumerate(lines)
    ]
    top = y + layout.head(one.panel, lang, currency, width) - 3
    if not one.rows:
        words = letters.wrap(say(one.panel.empty, lang, currency), 9, inner)
        parts += [_text(x + 9, top + 12 + 11 * number, line, 9, PALE) for number, line in enumerate(words)]
    elif is_chart(one.panel):
        chart = svg(one, lang, width - 12, y + height - top - 4)
        parts.append(chart.replace("<svg ", f'<svg x="{x + 6:.1f}" y="{top:.1f}" ', 1))
    elif one.panel.kind == "stat":
        # At the foot, beside others of its kind; near the head, beside a high panel.
        parts.append(_stat(one, x + 9, y + height - 13 if height < 120 else top + 42, inner))
    else:
        parts.append(_table(one, lang, x + 9, top + 4, inner, y + height - 8))
    return "".join(parts)


def _stat(one: Picture, x: float, y: float, width: float) -> str:
    cells = one.rows[0]["cells"]
    share = width / len(cells)
    parts = []
    for number, cell in enumerate(cells):
        size = min(22.0, 22 * share / max(1.0, letters.width(cell, 22)))
        at = x + share * number
        parts.append(_text(at, y, cell, size, COLOURS[one.colours[0]], weight="bold"))
        if len(cells) > 1:
            parts.append(_text(at, y - size - 3, letters.fit(one.headings[number], 8, share - 6), 8, PALE))
    return "".join(parts)


def _table(one: Picture, lang: Lang, x: float, y: float, width: float, bottom: float) -> str:
    names = len(one.headings) - len(one.panel.query.values)
    fits = int((bottom - y) / LINE) - 1
    rows = [row["cells"] for row in one.rows]
    shown = rows if len(rows) <= fits else rows[: fits - 1]
    wants = [
        max(letters.width(text, 8.5) for text in column) + 10
        for column in zip(one.headings, *shown, strict=True)
    ]
    cap = _cap(wants, width)
    spare = (width - sum(min(want, cap) for want in wants)) / len(wants)
    parts, left = [], x
    for number, want in enumerate(wants):
        room = min(want, cap) + spare
        figures = number >= names
        at, anchor = (left + room - 4, "end") if figures else (left, "start")
        parts.append(_text(at, y + 9, letters.fit(one.headings[number], 8, room - 4), 8, PALE, anchor=anchor))
        for line, cells in enumerate(shown, 1):
            parts.append(
                _text(at, y + 9 + LINE * line, letters.fit(cells[number], 8.5, room - 6), 8.5, anchor=anchor)
            )
        left += room
    if len(shown) < len(rows):
        more = say(_MORE, lang).format(len(rows) - len(shown))
        parts.append(_text(x, y + 9 + LINE * (len(shown) + 1), more, 8, PALE))
    parts.append(f'<path d="M{x:.1f} {y + 12.5:.1f}h{width:.1f}" stroke="#dde2e8" fill="none"/>')
    return "".join(parts)


def _cap(wants: list[float], width: float) -> float:
    """The most that a column may have, so that all fit: the widest give way, the narrow keep theirs."""
    left, number = width, len(wants)
    for want in sorted(wants):
        if want * number > left:
            return left / number
        left, number = left - want, number - 1
    return max(wants)


def _text(
    x: float,
    y: float,
    text: str,
    size: float,
    colour: str = INK,
    *,
    anchor: str = "start",
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
