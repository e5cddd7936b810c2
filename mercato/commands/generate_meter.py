"""How far `mercato generate` is and how fast it goes: a bar on a terminal, a line now and then elsewhere."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

#: Seconds between two lines where there is no terminal.
EVERY = 10.0
#: Below this share of the pace that was asked for, the sink is holding the stream up.
_BEHIND = 0.98
#: Seconds over which the rate on a terminal is a mean.
_WINDOW = 5.0


class Meter:
    """The rate of a stream over the last seconds.

    `rate` is what was asked for, in records a second; `speed` in simulated seconds a second. `span` is the
    length of the history in seconds.
    """

    def __init__(
        self,
        rate: float | None = None,
        speed: float | None = None,
        span: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._speed = speed
        self._span = span
        self._clock = clock
        self._seen: deque[tuple[float, int, float]] = deque()

    def words(self, sent: int, share: float, window: float) -> str:
        """Records sent and the pace over the last `window` seconds, and whether the sink is too slow for it."""
        now = self._clock()
        self._seen.append((now, sent, share))
        while len(self._seen) > 2 and self._seen[1][0] <= now - window:
            self._seen.popleft()
        begun, sent_then, share_then = self._seen[0]
        words = f"{sent:,} events"
        if now - begun < 0.5:
            return words
        rate = (sent - sent_then) / (now - begun)
        speed = (share - share_then) * self._span / (now - begun)
        words += f", {rate:,.1f}/s"
        if self._speed is not None:
            words += f", {speed:,.0f} simulated seconds a second"
        if self._rate is not None and rate < self._rate * _BEHIND:
            words += f": the sink is too slow for {self._rate:,.0f}/s"
        return words


@contextmanager
def shown(
    meter: Meter, *, paced: bool, endless: bool = False
) -> Iterator[Callable[[int, float], None] | None]:
    """What to call with the records sent and the share done; all is shown on stderr.

    Without a terminal a stream that takes its time tells a line every 10 s, one that hurries tells nothing.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        spent = [] if endless else [BarColumn(), TaskProgressColumn(), TimeRemainingColumn()]
        with Progress(TextColumn("{task.description}"), *spent, console=console, transient=True) as bar:
            task = bar.add_task("", total=1.0)
            yield lambda sent, share: bar.update(
                task, completed=share, description=meter.words(sent, share, _WINDOW)
            )
    elif paced:
        yield _Lines(meter)
    else:
        yield None


class _Lines:
    def __init__(self, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter = meter
        self._clock = clock
        self._told: float | None = None

    def __call__(self, sent: int, share: float) -> None:
        now = self._clock()
        if self._told is None:
            self._told = now
            self._meter.words(sent, share, EVERY)
        elif now - self._told >= EVERY:
            self._told += EVERY
            click.echo(self._meter.words(sent, share, EVERY), err=True)
