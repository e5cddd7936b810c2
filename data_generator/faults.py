"""Delivers events, and lets some of them go wrong on the way, each hit labelled. Pure: chance comes in.

What can go wrong: data_generator.fault_kinds. Where the contract refuses it, the event is lost to the numbers; so is
what a scenario's silence swallows.
"""

from bisect import bisect
from collections.abc import Mapping
from itertools import accumulate
from random import Random

from data_generator.encode import render
from data_generator.facts import Event, Record
from data_generator.fault_kinds import KINDS
from data_generator.scenario import Scenario
from data_generator.spoil import spoil
from mercato.errors import WrongUse

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

#: Milliseconds from an event to its delivery, or to the promise of it: the truth closes sessions by it.
ON_TIME = 5_000

#: The `fault` of a Record without a line that will never come: swallowed by a scenario's silence.
SILENCE = "silence"

#: Shortest and longest time between an event and its delivery, by the kind that holds it back.
DELAYS = {
    "out_of_order": (5_000, 5 * MINUTE),
    "late": (2 * HOUR, 72 * HOUR),
    "very_late": (14 * DAY, 90 * DAY),
}
#: The same between an original and its copy, and the share of the copies (so far) that take it.
_AGAIN = ((0.5, 200, MINUTE), (0.85, 200, 48 * HOUR), (1.0, 14 * DAY, 60 * DAY))
#: 2100-01-01: after any clock that will read these events.
_FUTURE = 4_102_444_800_000


class Injector:
    """Delivers events, all before `end`; some of them are hit.

    `rates`: the share of the events that each kind hits, or of all kinds together, which then take even shares.
    A window of the scenario hits its share of the events in it that its kind fits, and none outside.
    Delays and silences have chance of their own, so that other rates leave the rest of the history as it is.

    Raises:
        WrongUse: a kind doesn't exist, or the shares are not between 0 and 1 together.
    """

    def __init__(
        self, seed: str, rates: float | Mapping[str, float], end: int, scenario: Scenario | None = None
    ) -> None:
        if not isinstance(rates, Mapping):
            rates = dict.fromkeys(KINDS, rates / len(KINDS))
        if unknown := rates.keys() - KINDS.keys():
            raise WrongUse(f"there is no fault {min(unknown)!r}", f"the faults are {', '.join(KINDS)}")
        if not (all(rate >= 0 for rate in rates.values()) and sum(rates.values()) <= 1 + 1e-9):
            raise WrongUse(f"the rates of the faults are {dict(rates)}", "0 to 1 each, and together")
        self._end = end
        self._kinds = tuple(kind for kind in KINDS if rates.get(kind))
        self._until = tuple(accumulate(rates[kind] for kind in self._kinds))
        self._total = self._until[-1] if self._until else 0.0
        self._silences = scenario.of(SILENCE) if scenario else ()
        self._windows = tuple(w for w in scenario.windows if w.kind in KINDS) if scenario else ()
        self._chance = Random(f"{seed}/faults")  # noqa: S311 -- a simulation, to be repeated
        self._delay = Random(f"{seed}/delays")  # noqa: S311
        self._silent = Random(f"{seed}/silences")  # noqa: S311
        self._windowed = Random(f"{seed}/windows")  # noqa: S311
        # Hits owed, by kind: one that doesn't fit an event waits for one that it fits, so the shares stay even.
        self._owed: dict[str, int] = {}

    def deliver(self, event: Event) -> list[Record]:
        """The records of one event: one; two where it is sent again, or is overdue and promised."""
        at, name, message_id, key, visitor, who, context, body, fact, channel = event
        draw = self._delay.random()
        delay = 20 + int(draw * draw * draw * 3_000)
        delivered = min(at + delay, self._end - 1)
        chance = self._chance.random()
        if self._silences and self._swallowed(at):
            return [_record(event, None, delivered, SILENCE)]
        if chance < self._total:
            kind = self._kinds[bisect(self._until, chance, hi=len(self._kinds) - 1)]
            self._owed[kind] = self._owed.get(kind, 0) + 1
        sent = min(at + delay // 4, delivered)
        line = render(message_id, name, who, context, body, at, sent, delivered).encode()
        if self._windows and (hit := self._in_window(event, line, sent, delivered)):
            return hit
        if self._owed and (hit := self._pay(event, line, sent, delivered)):
            return hit
        return [Record(delivered, message_id, key, line, "", at, visitor, fact, channel, name)]

    def _pay(self, event: Event, line: bytes, sent: int, delivered: int) -> list[Record]:
        """The records of an event that takes the first hit owed that fits it; none if none does."""
        for kind in list(self._owed):
            hit = self._hit(kind, event, line, sent, delivered)
            if hit or kind in DELAYS:  # where no time is left to be late in, it is never paid
                left = self._owed.pop(kind) - 1
                if hit and left:
                    self._owed[kind] = left  # the other kinds come first next time
            if hit:
                return hit
        return []

    def _in_window(self, event: Event, line: bytes, sent: int, delivered: int) -> list[Record]:
        """The records of an event that a window of the scenario hits; none if none does."""
        for window in self._windows:
            now = window.start <= event.at < window.end and self._windowed.random() < window.strength
            if now and (hit := self._hit(window.kind, event, line, sent, delivered)):
                return hit
        return []

    def _swallowed(self, at: int) -> bool:
        for window in self._silences:
            if window.start <= at < window.end:
                return self._silent.random() < window.strength
        return False

    def _hit(self, kind: str, event: Event, line: bytes, sent: int, delivered: int) -> list[Record]:
        """The records of an event hit by this kind; none if it doesn't fit the event."""
        if kind in DELAYS:
            return self._overdue(kind, event, delivered)
        if kind == "duplicate":
            return self._twice(event, line, sent, delivered)
        if kind == "future_clock":
            ahead = _FUTURE - min(event.at, _FUTURE) + int(self._chance.random() * 36_500) * DAY
            return [_record(event, _line(event, event.at + ahead, sent + ahead, delivered), delivered, kind)]
        broken = spoil(kind, event.name, line, self._chance)
        return [] if broken is None else [_record(event, broken, delivered, kind)]

    def _overdue(self, kind: str, event: Event, on_time: int) -> list[Record]:
        shortest, longest = DELAYS[kind]
        spread = min(event.at + longest, self._end - 1) - event.at - shortest
        if spread <= 0:
            return []
        delivered = event.at + shortest + int(self._chance.random() * spread)
        record = _record(event, _line(event, event.at, delivered - 10, delivered), delivered, kind)
        if event.visitor is None:  # of no session: nothing has to wait for it
            return [record]
        return [_record(event, None, on_time, kind)._replace(fact=None), record]

    def _twice(self, event: Event, line: bytes, sent: int, delivered: int) -> list[Record]:
        """The original and its copy, always later and on the same key, so that the original wins."""
        draw, recomputed = self._chance.random(), self._chance.random() < 0.5
        shortest, longest = next((least, most) for share, least, most in _AGAIN if draw < share)
        left = self._end - 1 - delivered
        if left < shortest:  # no time for weeks
            shortest = _AGAIN[0][1]
        if left < 1_000:
            return []
        delay = shortest + int(self._chance.random() * (min(longest, left) - shortest))
        again = _line(event, event.at + delay, sent + delay, delivered + delay) if recomputed else line
        return [_record(event, line, delivered, ""), _record(event, again, delivered + delay, "duplicate")]


def _line(event: Event, timestamp: int, sent: int, received: int) -> bytes:
    return render(
        event.message_id, event.name, event.who, event.context, event.body, timestamp, sent, received
    ).encode()


def _record(event: Event, line: bytes | None, delivered: int, fault: str) -> Record:
    return Record(
        delivered,
        event.message_id,
        event.key,
        line,
        fault,
        event.at,
        event.visitor,
        event.fact,
        event.channel,
        event.name,
    )
