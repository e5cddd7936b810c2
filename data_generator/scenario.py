"""A story told on top of ordinary trade: windows in which something happens to the shop.

A scenario file is TOML, one [[window]] each:

    [[window]]
    kind = "payment_outage"
    start = 2026-11-27T20:00:00Z
    minutes = 45
    strength = 0.9

kind               strength                                                           default
payment_outage     share of payments that fail                                        1.0
cart_abandonment   share of the visits that would go to the checkout and give up      0.9
price_slip         factor on the prices of one product in ten                         0.1
bot_burst          visits a minute by one bot                                         20
traffic            factor on the number of visits                                     2.0
silence            share of the events that are never sent: the trackers are down     1.0
a fault's name     share of the events that it fits: a release of the tracker that     1.0
                   renames a property is drift_renamed (data_generator.fault_kinds)
"""

import math
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from data_generator.fault_kinds import KINDS
from mercato.errors import WrongUse

DEFAULT_STRENGTH = {
    "payment_outage": 1.0,
    "cart_abandonment": 0.9,
    "price_slip": 0.1,
    "bot_burst": 20.0,
    "traffic": 2.0,
    "silence": 1.0,
    **dict.fromkeys(KINDS, 1.0),
}
_SHARES = {"payment_outage", "cart_abandonment", "silence", *KINDS}
_FORM = "`.venv/bin/python -m pydoc data_generator.scenario`"


@dataclass(frozen=True, slots=True)
class Window:
    """Something that happens from `start` to before `end`, in ms since 1970."""

    kind: str
    start: int
    end: int
    strength: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """All windows of a history; none is ordinary trade."""

    windows: tuple[Window, ...] = ()

    def strength(self, kind: str, at: int, ordinary: float = 0.0) -> float:
        """Strength of this kind at a moment (the first window that holds it), or `ordinary` outside of all."""
        for window in self.windows:
            if window.kind == kind and window.start <= at < window.end:
                return window.strength
        return ordinary

    def of(self, kind: str) -> tuple[Window, ...]:
        """The windows of one kind."""
        return tuple(window for window in self.windows if window.kind == kind)


def read(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        WrongUse: it can't be read, or a window lacks something or has a kind that doesn't exist.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path} can't be read: {error}", "name a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise WrongUse(f"{path}: {error}", f"correct it: {_FORM} shows the form") from None
    entries = found.pop("window", None)
    if found or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise WrongUse(
            f"{path} is no scenario: it must hold [[window]]s, and nothing else", f"see {_FORM} for the form"
        )
    return Scenario(tuple(_window(f"{path}: window {at}", entry) for at, entry in enumerate(entries, 1)))


def _window(place: str, entry: dict[str, Any]) -> Window:
    kind, start, minutes = entry.get("kind"), entry.get("start"), entry.get("minutes")
    if not isinstance(kind, str) or kind not in DEFAULT_STRENGTH:
        raise WrongUse(f"{place} has the kind {kind!r}", f"the kinds are {', '.join(DEFAULT_STRENGTH)}")
    if unknown := entry.keys() - {"kind", "start", "minutes", "strength"}:
        raise WrongUse(
            f"{place} has {min(unknown)!r}", "a window has kind, start, minutes and, if need be, strength"
        )
    if not isinstance(start, datetime) or start.tzinfo is None:
        raise WrongUse(f"{place}: start is {start!r}", "write it like 2026-11-27T20:00:00Z")
    length = _number(minutes)
    if not 0 < length < 1e9:
        raise WrongUse(f"{place}: minutes is {minutes!r}", "give its length in minutes")
    strength = entry.get("strength", DEFAULT_STRENGTH[kind])
    most = 1.0 if kind in _SHARES else 1e6
    if not 0 <= _number(strength) <= most:
        raise WrongUse(f"{place}: strength is {strength!r}", f"for {kind} it is 0 to {most:g}")
    begin = int(start.timestamp() * 1000)
    return Window(kind, begin, begin + int(length * 60_000), float(strength))


def _number(value: Any) -> float:
    """The value, or NaN, which no comparison holds for."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
