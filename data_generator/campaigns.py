"""Where visits come from: campaigns and referrers, and the channel that the warehouse makes of them. Pure."""

from bisect import bisect
from itertools import accumulate
from random import Random
from typing import NamedTuple

from data_generator.encode import json_text, members

_PAID = frozenset({"cpc", "ppc", "paid", "paid_search", "paid_social", "display"})
_EMAIL = frozenset({"email", "newsletter"})
_AS_SAID = frozenset({"social", "affiliate", "organic", "referral"})


def channel(source: str, medium: str, referrer: str) -> str:
    """The channel of a visit, empty text for what is absent: the rule of dbt's fct_sessions."""
    medium = medium.lower()
    if medium in _PAID:
        return "paid"
    if medium in _EMAIL:
        return "email"
    if medium in _AS_SAID:
        return medium
    if source:
        return "other"
    return "referral" if referrer else "direct"


class Arrival(NamedTuple):
    """A way into the shop; `campaign` and `referrer` are JSON members of context and of its page, or empty."""

    channel: str
    campaign: str
    referrer: str


_GOOGLE = "https://www.google.com/"
#: Weight for newcomers, weight for regulars, then campaign's name, source, medium, and referrer.
_SOURCES = (
    (24, 45, "", "", "", ""),
    (18, 12, "search", "google", "organic", _GOOGLE),
    (10, 4, "brand", "google", "cpc", _GOOGLE),
    (5, 2, "lookbook", "meta", "paid_social", "https://www.instagram.com/"),
    (3, 1, "retargeting", "criteo", "Display", ""),  # the case as marketers write it
    (5, 20, "weekly-letter", "newsletter", "email", ""),
    (2, 5, "basket-reminder", "crm", "Email", ""),
    (9, 4, "lookbook", "instagram", "social", "https://www.instagram.com/"),
    (6, 2, "partners", "awin", "affiliate", "https://deals.example.org/"),
    (2, 1, "press", "magazine", "referral", "https://magazine.example.net/"),
    (8, 3, "", "", "", "https://blog.example.org/"),
    (2, 1, "catalogue-qr", "catalogue", "print", ""),
)


def _arrival(name: str, source: str, medium: str, referrer: str) -> Arrival:
    campaign = members({"campaign": {"name": name, "source": source, "medium": medium}}) if source else ""
    return Arrival(
        channel(source, medium, referrer),
        f",{campaign}" if campaign else "",
        f',"referrer":{json_text(referrer)}' if referrer else "",
    )


ARRIVALS = tuple(_arrival(*source[2:]) for source in _SOURCES)
DIRECT = ARRIVALS[0]
_NEW = tuple(accumulate(source[0] for source in _SOURCES))
_REGULAR = tuple(accumulate(source[1] for source in _SOURCES))


def arrive(rng: Random, acquired: float, regular: bool) -> Arrival:
    """How somebody comes this time: newcomers by what drew them in (`acquired`, 0 to 1), mostly."""
    if regular:
        return ARRIVALS[bisect(_REGULAR, rng.random() * _REGULAR[-1])]
    draw = acquired if rng.random() < 0.6 else rng.random()
    return ARRIVALS[bisect(_NEW, draw * _NEW[-1])]
