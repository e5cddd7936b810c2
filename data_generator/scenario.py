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
"""

import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mercato.errors import WrongUse

DEFAULT_STRENGTH = {
    "payment_outage": 1.0,
    "cart_abandonment": 0.9,
    "price_slip": 0.1,
    "bot_burst": 20.0,
    "traffic": 2.0,
    "silence": 1.0,
}


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
        raise WrongUse(
            f"{path}: {error}", "correct it: `pydoc data_generator.scenario` shows the form"
        ) from None
    windows = []
    for number, entry in enumerate(found.get("window", []), 1):
        kind, start, minutes = entry.get("kind"), entry.get("start"), entry.get("minutes")
        if kind not in DEFAULT_STRENGTH:
            raise WrongUse(
                f"{path}: window {number} has the kind {kind!r}",
                f"the kinds are {', '.join(DEFAULT_STRENGTH)}",
            )
        if not isinstance(start, datetime) or start.tzinfo is None:
            raise WrongUse(
                f"{path}: window {number}: start is {start!r}", "write it like 2026-11-27T20:00:00Z"
            )
        if not isinstance(minutes, int | float) or minutes <= 0:
            raise WrongUse(f"{path}: window {number}: minutes is {minutes!r}", "give its length in minutes")
        begin = int(start.timestamp() * 1000)
        strength = float(entry.get("strength", DEFAULT_STRENGTH[kind]))
        windows.append(Window(kind, begin, begin + int(minutes * 60_000), strength))
    return Scenario(tuple(windows))
