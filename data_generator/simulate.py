"""The history of the shop: day by day to an ordered stream, and from there to a sink and the truth.

The people are split into a fixed number of shards, each with its own chance, so that the stream doesn't
depend on who works on it: the shards of a day are simulated one after another and merged by delivery.
"""

import math
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random
from typing import Protocol

from data_generator import journeys, seasonality
from data_generator.config import DAY_MS, Config
from data_generator.facts import Record
from data_generator.faults import Injector
from data_generator.pace import Pace
from data_generator.truth import Truth
from data_generator.world import Person, World, build

#: Never changes: it is part of what a seed means.
SHARDS = 8
#: Records handed to the sink at once; between two of them a stop is noticed.
_CHUNK = 1_000
#: People a daily session: with it, a month has newcomers and regulars.
_PEOPLE_PER_SESSION = 16


class Sink(Protocol):
    """Where records go. After `close` all are there; after `abort` nothing is promised."""

    def send(self, records: list[Record]) -> None:
        """Take these records, in this order."""

    def close(self) -> None:
        """Wait until everything sent is safe."""

    def abort(self) -> None:
        """Let go after an error."""


def run(
    config: Config,
    sink: Sink,
    progress: Callable[[int, float], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    rate: float | None = None,
) -> Truth:
    """Simulate the history into `sink`; returns the truth about exactly what was sent.

    `progress` is called with the records sent and the share of the history done (0 to 1); when `stop` says
    so the stream ends early, whole; `rate` limits the records per second. The sink is closed at the end,
    and aborted on an error, which is raised.
    """
    truth = Truth(config)
    pace = Pace(rate)
    size = _CHUNK if rate is None else max(1, int(min(_CHUNK, rate / 20)))
    stream = records(config)
    span = config.end_ms - config.start_ms
    try:
        while not stop() and (chunk := list(islice(stream, size))):
            if not pace.wait(len(chunk), stop):
                break
            sink.send([record for record in chunk if record.line is not None])
            truth.add(chunk)
            if progress:
                progress(truth.sent, (chunk[-1].delivered - config.start_ms) / span)
        sink.close()
    except BaseException:
        sink.abort()
        raise
    return truth


def records(config: Config) -> Iterator[Record]:
    """All records in the order of their delivery."""
    world = build(config.seed, config.sessions_per_day * _PEOPLE_PER_SESSION)
    shards = [_Shard(config, world, number) for number in range(SHARDS)]
    due: dict[int, list[Record]] = {}
    for day in range(config.start_ms // DAY_MS, config.end_ms // DAY_MS):
        for shard in shards:
            for record in shard.day(day):
                due.setdefault(record.delivered // DAY_MS, []).append(record)
        today = due.pop(day, [])
        today.sort()  # nothing of a later day is delivered earlier: this day is whole
        yield from today


class _Shard:
    """A share of the people: who is known, who is busy until when."""

    def __init__(self, config: Config, world: World, number: int) -> None:
        self._seed = f"{config.seed}/{number}"
        self._world = world
        self._people: tuple[Person, ...] = world.people[number::SHARDS]
        self._mean = config.sessions_per_day / SHARDS
        self._end = config.end_ms
        self._injector = Injector(self._seed, config.faults, config.end_ms, config.scenario)
        self._known: set[int] = set()
        self._busy: dict[int, int] = {}

    def day(self, day: int) -> Iterator[Record]:
        """What the visits that begin on this day cause, on whichever day it is delivered."""
        rng = Random(f"{self._seed}/{day}")  # noqa: S311 -- a simulation, to be repeated
        mean = self._mean * seasonality.factor(day)
        visits = max(0, round(rng.gauss(mean, math.sqrt(mean))))
        for moment in sorted(seasonality.moment(rng) for _ in range(visits)):
            start = day * DAY_MS + moment
            person = self._visitor(rng, start)
            if person is not None:
                yield from self._visit(rng, person, start)

    def _visitor(self, rng: Random, start: int) -> Person | None:
        """Regulars come often. One visit at a time: what a person knows in one, holds in the next."""
        for _ in range(3):
            person = self._people[int(rng.random() ** 1.7 * len(self._people))]
            if self._busy.get(person.index, 0) < start:
                return person
        return None

    def _visit(self, rng: Random, person: Person, start: int) -> Iterator[Record]:
        events = journeys.walk(rng, self._world, person, person.index in self._known, start)
        for event in events:
            if event.visitor is not None:
                self._busy[person.index] = event.at
            if event.name == "identify":
                self._known.add(person.index)
            if event.at < self._end:
                yield from self._injector.deliver(event)
