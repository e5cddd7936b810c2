"""How fast a stream goes: as fast as it can, at a rate, or as life went, sped up.

Each of the three cuts a stream of records into the chunks that are sent at once, at the right moment; `stop`
ends it between two chunks. Times of the clock are in seconds.
"""

import math
import time
from collections.abc import Callable, Iterator
from itertools import islice

from data_generator.facts import Record

#: Records handed to the sink at once; between two of them a stop is noticed.
CHUNK = 1_000
#: Chunks a second of a stream that is held back: few enough to be cheap, enough to flow evenly.
_TICKS = 20
#: Longest sleep before a stop is looked for again, in seconds.
_SLICE = 0.05

Stop = Callable[[], bool]
Clock = Callable[[], float]
Sleep = Callable[[float], None]


class Pace:
    """Lets `rate` records a second pass; time lost for more than a second is not caught up in a burst.

    The schedule is absolute: what one wait oversleeps, the next one makes up for, so that nothing drifts.
    """

    def __init__(self, rate: float | None, clock: Clock = time.monotonic, sleep: Sleep = time.sleep) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._due: float | None = None

    def wait(self, count: int, stop: Stop) -> bool:
        """Wait until `count` more records may pass; False if `stop` said so meanwhile."""
        if self._rate is None:
            return True
        now = self._clock()
        # The clock starts with the first records, not while the world is still being built.
        due = now if self._due is None else max(self._due, now - 1)
        if not _sleep_until(due, stop, self._clock, self._sleep):
            return False
        self._due = due + count / self._rate
        return True


def unpaced(stream: Iterator[Record], stop: Stop) -> Iterator[list[Record]]:
    """As fast as the sink takes them."""
    while not stop() and (chunk := list(islice(stream, CHUNK))):
        yield chunk


def at_rate(
    stream: Iterator[Record],
    rate: float,
    stop: Stop,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> Iterator[list[Record]]:
    """`rate` records a second, whatever their times; promises are no records and don't count."""
    pace = Pace(rate, clock, sleep)
    size = chunk_size(rate)
    while not stop() and (chunk := list(islice(stream, size))):
        if not pace.wait(sum(record.line is not None for record in chunk), stop):
            return
        yield chunk


def chunk_size(rate: float) -> int:
    """Records to send at once at so many a second."""
    return max(1, int(min(CHUNK, rate / _TICKS)))


def lapse(
    stream: Iterator[Record],
    speed: float,
    stop: Stop,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> Iterator[list[Record]]:
    """Each record at its own moment of delivery, `speed` simulated seconds a second.

    The first one is sent at once. A sink that is too slow delays the stream, which then catches up.
    """
    chunk: list[Record] = []
    origin, begun = 0, -math.inf
    for record in stream:
        if begun == -math.inf:
            origin, begun = record.delivered, clock()
        # Up to the next tick, so that what is due within it goes out together.
        ticks = math.ceil((record.delivered - origin) / 1_000 / speed * _TICKS)
        due = begun + ticks / _TICKS
        if due > clock() or len(chunk) >= CHUNK:
            if chunk:
                yield chunk
                chunk = []
            if stop() or not _sleep_until(due, stop, clock, sleep):
                return
        chunk.append(record)
    if chunk:
        yield chunk


def _sleep_until(due: float, stop: Stop, clock: Clock, sleep: Sleep) -> bool:
    while (left := due - clock()) > 0:
        if stop():
            return False
        sleep(min(left, _SLICE))
    return True
