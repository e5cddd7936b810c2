"""When people visit: by weekday and hour. Pure."""

from bisect import bisect
from itertools import accumulate
from random import Random

#: Visits of each weekday, Monday first, as a factor of the mean.
WEEKDAYS = (0.95, 0.93, 0.94, 0.98, 1.00, 1.08, 1.12)

#: Visits of each hour, as weights: quiet nights, a lunch bump, the evening peak.
HOURS = (8, 5, 3, 2, 2, 4, 9, 18, 28, 36, 41, 44, 50, 47, 42, 42, 45, 50, 58, 68, 76, 72, 48, 22)

_HOURS_SO_FAR = tuple(accumulate(HOURS))


def factor(day: int) -> float:
    """Expected visits of a day, counted from 1970-01-01 (a Thursday), relative to the mean."""
    return WEEKDAYS[(day + 3) % 7]


def moment(rng: Random) -> int:
    """Milliseconds into a day at which a visit begins."""
    hour = bisect(_HOURS_SO_FAR, rng.random() * _HOURS_SO_FAR[-1])
    return min(hour, 23) * 3_600_000 + int(rng.random() * 3_600_000)
