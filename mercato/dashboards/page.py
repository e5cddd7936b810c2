"""The report as one HTML file that opens from disk, with the network off: its script, charts and rows are all in it.

Guarantee: it asks for nothing from outside, and its policy lets it ask for nothing. What it chooses by (currency,
country, channel, event) are columns of its rows: a choice shows rows, it never computes a figure anew. A tile has a row
for each choice and for all; a panel that can't follow a choice says so while it is made.
"""

import json
from html import escape
from importlib.resources import files
from typing import Any

from mercato.dashboards.charts import engine, is_chart, locales, spec
from mercato.dashboards.panel import Dashboard, Panel, Words
from mercato.dashboards.picture import Picture
from mercato.dashboards.sql import followed
from mercato.dashboards.vocabulary import WHOLE
from mercato.dashboards.wording import Lang, say

_LABELS = {
    "currency": Words("Currency", "Devise"),
    "country": Words("Country", "Pays"),
    "channel": Words("Channel", "Canal"),
    "event": Words("Event", "Événement"),
}
_ALL = Words("All", "Tous")
ROW = 34  # pixels of one row of the grid


def html(
    dashboards: list[tuple[Dashboard, list[Picture]]],
    lang: Lang,
    currency: str,
    currencies: list[str],
    period: str,
) -> str:
    """The whole report as one file's text."""
    panels: list[dict[str, Any]] = []
    sections = []
    for dashboard, pictures in dashboards:
        cards = []
        known = [
            one.name for other, _ in dashboards if other.folder == dashboard.folder for one in other.variables
        ]
        for one in pictures:
            cards.append(_card(one, lang, len(panels)))
            panels.append(_data(one, lang) | {"whole": _whole(one.panel, known, lang)})
        sections.append(
            f'<section id="{dashboard.uid}"><h2>{_words(dashboard.title, lang)}</h2>'
            f"<p>{_words(dashboard.description, lang)}</p><div class=grid>{''.join(cards)}</div></section>"
        )
    links = "".join(f'<a href="#{one.uid}">{_words(one.title, lang)}</a>' for one, _ in dashboards)
    content = {"panels": panels, "embed": locales(lang)}
    # A closing tag inside would end the script.
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    script = engine().replace("</script", "<\\/script")
    own = files(__package__)
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline' "
        "'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:\">"
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<title>mercato · {escape(period)}</title><style>{own.joinpath('page.css').read_text('utf-8')}</style></head>"
        f"<body><header><b>mercato</b><span>{escape(period)}</span>{_controls(panels, lang, currency, currencies)}"
        f"<nav>{links}</nav></header><main>{''.join(sections)}</main>"
        f"<script>{script}</script>"
        f'<script type="application/json" id="content">{text}</script>'
        f"<script>{own.joinpath('page.js').read_text('utf-8')}</script></body></html>\n"
    )


def _data(one: Picture, lang: Lang) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": one.panel.kind, "limit": one.panel.query.limit, "rows": one.rows}
    if is_chart(one.panel):
        found["spec"] = spec(one.panel, lang, "container", one.panel.height * ROW - 70)
    elif one.colours:
        found["colours"] = one.colours
    return found


def _whole(panel: Panel, known: list[str], lang: Lang) -> dict[str, str]:
    """What to say while one of these is chosen that the panel doesn't follow; of its readers' choices alone."""
    return {name: say(words, lang) for name, words in WHOLE.items() if name in {*known} - {*followed(panel)}}


def _card(one: Picture, lang: Lang, number: int) -> str:
    panel = one.panel
    body = ""
    if panel.kind == "table":
        names = len(one.headings) - len(panel.query.values)
        cells = "".join(
            f"<th{'' if place < names else ' class=n'}>{escape(text)}</th>"
            for place, text in enumerate(one.headings)
        )
        head = f"<thead><tr>{cells}</tr></thead>"
        body = f"<div class=scroll><table data-names={names}>{head}<tbody></tbody></table></div>"
    elif panel.kind == "stat":
        labels = one.headings if len(one.headings) > 1 else ("",) * len(one.headings)
        body = "".join(f"<div class=stat><b></b><small>{escape(text)}</small></div>" for text in labels)
    else:
        body = "<div class=chart></div>"
    return (
        f'<article style="grid-column:span {panel.width}" data-panel={number} id="{one.uid}-{panel.key}">'
        f"<h3>{_words(panel.title, lang)}</h3><p>{_words(panel.description, lang)}</p><p class=whole hidden></p>"
        f"<div class=body>{body}</div><p class=empty hidden>{_words(panel.empty, lang)}</p></article>"
    )


def _controls(panels: list[dict[str, Any]], lang: Lang, currency: str, currencies: list[str]) -> str:
    found = []
    for name, label in _LABELS.items():
        values = currencies if name == "currency" else _values(panels, name)
        if not values:
            continue
        chosen = "".join(
            f"<option{' selected' if value == currency else ''}>{escape(value)}</option>" for value in values
        )
        everything = "" if name == "currency" else f'<option value="">{_words(_ALL, lang)}</option>'
        found.append(
            f'<label>{_words(label, lang)} <select data-filter="{name}">{everything}{chosen}</select></label>'
        )
    return "".join(found)


def _values(panels: list[dict[str, Any]], name: str) -> list[str]:
    return sorted(
        {str(row["filters"][name]) for panel in panels for row in panel["rows"] if row["filters"].get(name)}
    )


def _words(words: Words, lang: Lang) -> str:
    text = escape(say(words, lang, "\0"))
    return text.replace("\0", "<span class=currency></span>")
