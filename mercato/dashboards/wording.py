"""Figures as people write them, in English and French. Pure."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from mercato.currencies import decimals
from mercato.dashboards.panel import Unit, Words

Lang = Literal["en", "fr"]
NONE = "–"
_NARROW = "\u202f"  # the space of French thousands


def say(words: Words, lang: Lang, currency: str = "") -> str:
    """The text in one language, with the currency in its place."""
    return getattr(words, lang).replace("{currency}", currency)  # type: ignore[no-any-return]


def figure(value: Any, unit: Unit, lang: Lang, currency: str = "") -> str:
    """One value of a result, as text; a dash where there is none."""
    if value is None:
        return NONE
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, str):
        return value
    match unit:
        case "share":
            return percent(value, 1, lang)
        case "money":
            return _number(value, decimals(currency) if currency else 2, lang)
        case "count":
            return _number(value, 0, lang)
        case "seconds":
            return _span(float(value), lang)
        case "milliseconds":
            return _span(float(value) / 1000, lang) if value >= 1000 else f"{_number(value, 0, lang)} ms"
        case "bytes":
            return f"{_number(Decimal(value) / 10**9, 1, lang)} {'GB' if lang == 'en' else 'Go'}"
        case _:
            return _number(value, 0 if Decimal(value) == int(value) else 2, lang)


def percent(share: Any, places: int, lang: Lang) -> str:
    """A share of 1, as hundredths."""
    return _number(Decimal(share) * 100, places, lang) + ("%" if lang == "en" else f"{_NARROW}%")


def _number(value: Any, places: int, lang: Lang) -> str:
    text = f"{Decimal(value):,.{places}f}"
    return text if lang == "en" else text.replace(",", _NARROW).replace(".", ",")


def _span(seconds: float, lang: Lang) -> str:
    for size, name in ((86_400, "d" if lang == "en" else "j"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{_number(round(seconds / size, 1), 1, lang)} {name}"
    return f"{_number(round(seconds, 1), 1, lang)} s"
