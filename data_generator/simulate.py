"""The history of the shop: day by day to an ordered stream, and from there to a sink and the truth.

The people are split into a fixed number of shards, each with its own chance, so that the stream doesn't
depend on who works on it: the shards of a day are simulated one after another and merged by delivery.
"""

import gc
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Protocol, cast

from data_generator import journeys, pace, seasonality
from data_generator.config import DAY_MS, Config
from data_generator.faults import Injector, Record
from data_generator.truth import Truth
from data_generator.workers import MOMENT, SHARDS
from data_generator.workers import records as from_workers
from data_generator.world import Person, World, build

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
    *,
    speed: float | None = None,
    workers: int = 1,
    details: Path | None = None,
) -> Truth:
    """Simulate the history into `sink`; returns the truth about exactly what was sent.

    `progress` is called with the records sent and the share of the history done (0 to 1); when `stop` says
    so the stream ends early, whole; `rate` limits the records per second, or `speed` gives the simulated
    seconds a second; `workers` processes simulate; `details` is the truth's folder. The sink is closed at
    the end, and aborted on an error, which is raised.
    """
    # A paced stream is simulated in a process of its own: a day that takes seconds must not hold it up.
    apart = workers > 1 or rate is not None or speed is not None
    every = from_workers(config, workers, stop) if apart else records(config)
    with without_collector(), closing(every) as stream:
        if rate is not None:
            chunks = pace.at_rate(stream, rate, stop)
        elif speed is not None:
            chunks = pace.lapse(stream, speed, stop)
        else:
            chunks = pace.unpaced(stream, stop)
        span = config.end_ms - config.start_ms
        return deliver(
            chunks,
            sink,
            config,
            details,
            progress and (lambda sent, at: progress(sent, (at - config.start_ms) / span)),
        )


@contextmanager
def without_collector() -> Iterator[None]:
    """Nothing here makes cycles: the collector would only walk over the records of the day, again and again."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def deliver(
    chunks: Iterator[list[Record]],
    sink: Sink,
    config: Config,
    details: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Truth:
    """Send chunks, count them, close the sink; abort it on an error, which is raised. Returns the truth.

    `details` is the truth's folder; `progress` is called with the records sent and the moment of delivery of
    the last one, in ms.
    """
    truth = None
    try:
        more: dict[str, Any] = {"folder": details} if details else {}
        truth = Truth(config, **more)
        for chunk in chunks:
            # A promise has no line: it is for the truth alone.
            sink.send([record for record in chunk if record.line is not None])
            truth.add(chunk)
            if progress:
                progress(truth.sent, chunk[-1].delivered)
        sink.close()
    except BaseException:
        sink.abort()
        if truth and details:
            cast(Any, truth).abort()
        raise
    return truth


def records(config: Config) -> Generator[Record, None, None]:
    """All records in the order of their delivery."""
    for today in days(config, range(SHARDS)):
        yield from today


def days(config: Config, numbers: Iterable[int]) -> Iterator[list[Record]]:
    """What these shards deliver, a list a day, in order."""
    shards = shards_of(config, numbers)
    due: dict[int, list[Record]] = {}
    for day in range(config.start_ms // DAY_MS, config.end_ms // DAY_MS):
        for shard in shards:
            for record in shard.day(day):
                due.setdefault(record.delivered // DAY_MS, []).append(record)
        today = due.pop(day, [])
        today.sort(key=MOMENT)  # nothing of a later day is delivered earlier: this day is whole
        yield today


def shards_of(config: Config, numbers: Iterable[int]) -> "list[_Shard]":
    """These shards of the people, none of whom has visited yet."""
    world = build(config.seed, config.sessions_per_day * _PEOPLE_PER_SESSION)
    return [_Shard(config, world, number) for number in numbers]


class _Shard:
    """A share of the people: who is known, who is busy until when."""

    def __init__(self, config: Config, world: World, number: int) -> None:
        self._seed = f"{config.seed}/{number}"
        self._world = world
        self._people: tuple[Person, ...] = world.people[number::SHARDS]
        self._mean = config.sessions_per_day / SHARDS
        self._end = config.end_ms
        self._injector = Injector(self._seed, config.faults, config.end_ms)
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

    def visit(self, rng: Random, start: int) -> Iterator[Record]:
        """What one visit that begins at `start` (ms) causes; nothing if nobody has time."""
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
