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
from typing import Protocol

from data_generator import bots, journeys, pace, seasonality, supply
from data_generator.config import DAY_MS, Config
from data_generator.facts import Event, Record
from data_generator.faults import Injector
from data_generator.memory import Memory
from data_generator.stock import Stock
from data_generator.truth import Truth
from data_generator.workers import MOMENT, SHARDS
from data_generator.workers import records as from_workers
from data_generator.world import Shop, World, build

#: People at a time, for each daily session: with it, a month has newcomers and regulars.
_PEOPLE_PER_SESSION = 16
#: Pieces sold for each visit, about: what the stock is planned by.
_UNITS_PER_SESSION = 0.05
#: Share of the visits that are drawn from those who have bought before.
_CUSTOMERS = 0.12
#: Least time between two visits of a person: more than the 30 minutes that end a session.
_APART = 31 * 60_000


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
        truth = Truth(config, details)
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
            truth.abort()
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
    """A share of the people, with a fulfilment centre of their own: independent of all other shards.

    The days must be asked for in their order, from the first one on.
    """

    def __init__(self, config: Config, world: World, number: int) -> None:
        self._config = config
        self._seed = f"{config.seed}/{number}"
        self._world = world
        self._number = number
        self._people = range(number, world.people.count, SHARDS)
        self._mean = config.sessions_per_day / SHARDS
        self._injector = Injector(self._seed, config.faults, config.end_ms, config.scenario)
        demand = world.catalogue.demand
        units = self._mean * _UNITS_PER_SESSION / sum(demand)
        stock = Stock(self._seed, [units * share for share in demand])
        self._shop = Shop(world, config.scenario, stock, Memory(), f"fc-{number}")
        self._busy: dict[int, int] = {}
        self._first_day = config.start_ms // DAY_MS

    def day(self, day: int) -> list[Record]:
        """What the visits that begin on this day cause, on whichever day it is delivered."""
        rng = Random(f"{self._seed}/{day}")  # noqa: S311 -- a simulation, to be repeated
        start, end = day * DAY_MS, (day + 1) * DAY_MS
        self._busy = {number: until for number, until in self._busy.items() if until >= start}
        shop, send = self._shop, self._send
        found: list[Record] = []
        if self._number == 0:  # head office: prices and the range are the same everywhere
            send(supply.catalogue_news(rng, shop, day), found)
        for at, number in sorted(self._visitors(rng, day)):
            self._visit(rng, number, at, found)
        send(supply.deliveries(rng, shop, end), found)
        for number, window in enumerate(self._config.scenario.of("bot_burst")):
            if number % SHARDS == self._number and window.start < end and window.end > start:
                send(bots.burst(self._config.seed, self._world, window, day), found)
        return found

    def visit(self, rng: Random, start: int) -> list[Record]:
        """What one visit that begins at `start` (ms) causes; nothing if nobody has time."""
        found: list[Record] = []
        self._visit(rng, self._draw(rng, start // DAY_MS), start, found)
        return found

    def _visit(self, rng: Random, number: int, start: int, found: list[Record]) -> None:
        self._send(supply.deliveries(rng, self._shop, start), found)
        # One visit at a time, and a pause between two that ends the session: what is known in one holds
        # in the next, and a session has one channel.
        if self._busy.get(number, 0) < start:
            events = journeys.walk(rng, self._shop, self._world.people.person(number), start)
            self._busy[number] = max(event.at for event in events if event.visitor) + _APART
            self._send(events, found)

    def _send(self, events: Iterable[Event], found: list[Record]) -> None:
        """Add the records of those events that are before the end of the history."""
        end, deliver = self._config.end_ms, self._injector.deliver
        for event in events:
            if event.at < end:
                found += deliver(event)

    def _visitors(self, rng: Random, day: int) -> Iterator[tuple[int, int]]:
        """Moment and person of each visit of a day."""
        config, person = self._config, self._world.people.person
        middle = (config.start_ms + config.end_ms) / 2 / DAY_MS
        mean = self._mean * seasonality.factor(day) * seasonality.growth(config.growth, day - middle)
        for _ in range(max(0, round(rng.gauss(mean, math.sqrt(mean))))):
            index = self._draw(rng, day)
            who = person(index)
            if seasonality.is_holiday(day, who.market.code) and rng.random() > seasonality.HOLIDAY:
                continue
            at = seasonality.moment(rng, who.city.zone, day)
            traffic = config.scenario.strength("traffic", at, 1.0)
            if traffic >= 1 or rng.random() < traffic:
                yield at, index
            for _ in range(int(traffic - 1 + rng.random()) if traffic > 1 else 0):
                yield at + int(rng.random() * 60_000), self._draw(rng, day)

    def _draw(self, rng: Random, day: int) -> int:
        """Regulars come often, customers again."""
        people, age = self._world.people, day - self._first_day
        if self._shop.memory.customers and rng.random() < _CUSTOMERS:
            pair = [self._customer(rng, age) for _ in range(2)]
            if known := [number for number in pair if number is not None]:
                return max(known, key=lambda number: people.person(number).loyalty)
        return people.at(self._people[int(rng.random() ** 1.7 * len(self._people))], age)

    def _customer(self, rng: Random, age: int) -> int | None:
        """One who has bought and still visits; those drawn who don't any more are forgotten."""
        customers = self._shop.memory.customers
        while customers:
            drawn = int(rng.random() * len(customers))
            if self._world.people.stays(customers[drawn], age):
                return customers[drawn]
            customers[drawn] = customers[-1]
            customers.pop()
        return None
