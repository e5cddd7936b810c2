"""The shop from now on: visits begin now, at an exact rate of records, until stopped. Nothing is replayed.

A history can't be shifted to now: its times stand inside the lines, and another speed would join or split
sessions. So visits are simulated one by one as they are needed: at every tick the records that are due go
out; where they are fewer than the rate asks for, new visits begin, until they are enough. What a visit does
later waits for its moment. So the rate is exact, the times are those of now, and the gaps within a session
are as long as in life.
"""

import heapq
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from random import Random

from data_generator import pace, simulate
from data_generator.config import Config
from data_generator.facts import Record
from data_generator.truth import Truth
from data_generator.workers import SHARDS

#: A visit begins so long before its first record may be due, in ms: the longest ordinary delay of a delivery.
_LEAD = 3_100
#: Visits tried for one record that is lacking; more only if all are busy or a scenario keeps them silent.
_TRIES = 10


def run(
    config: Config,
    sink: simulate.Sink,
    rate: float,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
    details: Path | None = None,
    wall: Callable[[], float] = time.time,
) -> Truth:
    """Trade into `sink` at `rate` records a second until `stop` or `config.end`; the truth about what was sent.

    `progress` is called with the records sent and the moment of delivery of the last one, in ms; `wall`
    gives the seconds since 1970. The sink is closed at the end, and aborted on an error, which is raised.
    """
    now = _steady(wall)
    stream = pace.Pace(rate)
    shop = _Shop(config)

    def chunks() -> Iterator[list[Record]]:
        size = pace.chunk_size(rate)
        while not stop() and stream.wait(size, stop) and (moment := now()) < config.end_ms:
            if chunk := shop.due(moment, size):
                yield chunk

    return simulate.deliver(chunks(), sink, config, details, progress)


class _Shop:
    """Who is in the shop now, and what they will still do."""

    def __init__(self, config: Config) -> None:
        self._shards = simulate.shards_of(config, range(SHARDS))
        self._rng = Random(f"{config.seed}/live")  # noqa: S311 -- a simulation
        # The number keeps records of the same moment in the order in which they were made.
        self._waiting: list[tuple[int, str, int, Record]] = []
        self._number = count()

    def due(self, now: int, size: int) -> list[Record]:
        """Records delivered up to `now` (ms): `size` of them, and the promises between them."""
        chunk: list[Record] = []
        found = tries = 0
        while found < size:
            if self._waiting and self._waiting[0][0] <= now:
                record = heapq.heappop(self._waiting)[3]
                chunk.append(record)
                found += record.line is not None
            elif tries < _TRIES * size:
                tries += 1
                self._visit(now - _LEAD)
            else:
                break
        return chunk

    def _visit(self, start: int) -> None:
        for record in self._rng.choice(self._shards).visit(self._rng, start):
            heapq.heappush(self._waiting, (record.delivered, record.message_id, next(self._number), record))


def _steady(wall: Callable[[], float]) -> Callable[[], int]:
    """Milliseconds since 1970 that never go back, even if the wall clock is set."""
    latest = 0

    def now() -> int:
        nonlocal latest
        latest = max(latest, int(wall() * 1_000))
        return latest

    return now
