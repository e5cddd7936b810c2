"""Holds a stream to a rate."""

import time
from collections.abc import Callable

#: Longest sleep before a stop is looked for again.
_SLICE = 0.05


class Pace:
    """Lets `rate` records a second pass; time lost for more than a second is not caught up in a burst."""

    def __init__(
        self,
        rate: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._due: float | None = None

    def wait(self, count: int, stop: Callable[[], bool]) -> bool:
        """Wait until `count` more records may pass; False if `stop` said so meanwhile."""
        if self._rate is None:
            return True
        now = self._clock()
        # The clock starts with the first records, not while the world is still being built.
        due = now if self._due is None else max(self._due, now - 1)
        while (left := due - self._clock()) > 0:
            if stop():
                return False
            self._sleep(min(left, _SLICE))
        self._due = due + count / self._rate
        return True
