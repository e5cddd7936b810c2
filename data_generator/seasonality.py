"""When people visit: by the hour of their own day, weekday, pay-day, month, holiday and Black Friday. Pure."""

from bisect import bisect
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from random import Random
from zoneinfo import ZoneInfo

from data_generator.config import DAY_MS

#: Visits of each weekday, Monday first, as a factor of the mean.
WEEKDAYS = (0.95, 0.93, 0.94, 0.98, 1.00, 1.08, 1.12)

#: Visits of each hour of the visitor's own day, as weights: quiet nights, a lunch bump, the evening peak.
HOURS = (8, 5, 3, 2, 2, 4, 9, 18, 28, 36, 41, 44, 50, 47, 42, 42, 45, 50, 58, 68, 76, 72, 48, 22)

#: Visits of each month, January first.
MONTHS = (0.97, 0.92, 0.97, 0.98, 0.99, 0.96, 0.90, 0.90, 0.99, 1.02, 1.15, 1.25)

#: Visits of the days around Black Friday, from the Monday before it to the Tuesday after it.
BLACK_FRIDAY = (1.15, 1.15, 1.2, 1.35, 2.4, 1.6, 1.5, 1.9, 1.1)

#: Share of the visits that a public holiday leaves.
HOLIDAY = 0.7

_HOURS_SO_FAR = tuple(accumulate(HOURS))
_EPOCH = date(1970, 1, 1)

#: Holidays with a date of their own, as MMDD, and those so many days from Easter Sunday.
_FIXED = {
    "DE": (101, 501, 1003, 1225, 1226),
    "FR": (101, 501, 508, 714, 815, 1101, 1111, 1225),
    "IT": (101, 106, 425, 501, 602, 815, 1101, 1208, 1225, 1226),
    "ES": (101, 106, 501, 815, 1012, 1101, 1206, 1208, 1225),
    "NL": (101, 427, 1225, 1226),
    "AT": (101, 106, 501, 815, 1026, 1101, 1208, 1225, 1226),
    "GB": (101, 1225, 1226),
    "CH": (101, 801, 1225, 1226),
    "PL": (101, 106, 501, 503, 815, 1101, 1111, 1225, 1226),
    "SE": (101, 106, 501, 606, 1225, 1226),
    "US": (101, 619, 704, 1111, 1225),
    "JP": (101, 211, 223, 429, 503, 504, 505, 811, 1103, 1123),
}
_EASTER = {"US": (), "JP": (), "IT": (1,), "ES": (-2,), "PL": (1, 60), "FR": (1, 39, 50), "GB": (-2, 1)}
_EASTER_ELSEWHERE = (-2, 1, 39, 50)


def factor(day: int, country: str = "") -> float:
    """Expected visits of a UTC day, counted from 1970-01-01 (a Thursday), relative to the mean."""
    return _of_all(day) * (HOLIDAY if country and is_holiday(day, country) else 1.0)


@lru_cache(maxsize=64)
def _of_all(day: int) -> float:
    when = _EPOCH + timedelta(days=day)
    found = WEEKDAYS[(day + 3) % 7] * MONTHS[when.month - 1]
    # Money is there from the 26th on, and gone in the week before.
    found *= 1.1 if when.day >= 26 or when.day <= 2 else 0.975
    since = day - (black_friday(day) - 4)
    return found * BLACK_FRIDAY[since] if 0 <= since < len(BLACK_FRIDAY) else found


def growth(rate: float, days: float) -> float:
    """Factor after so many days of growing by `rate` a year."""
    return float((1 + rate) ** (days / 365))


def black_friday(day: int) -> int:
    """Black Friday of the year of `day`: the day after November's fourth Thursday."""
    return _nth((_EPOCH + timedelta(days=day)).year, 11, 3, 4) + 1


@lru_cache(maxsize=256)
def _nth(year: int, month: int, weekday: int, which: int) -> int:
    first = date(year, month, 1)
    return (first - _EPOCH).days + (weekday - first.weekday()) % 7 + 7 * (which - 1)


@lru_cache(maxsize=1024)
def is_holiday(day: int, country: str) -> bool:
    """Whether shops and offices of a country are closed on a day."""
    when = _EPOCH + timedelta(days=day)
    if when.month * 100 + when.day in _FIXED[country]:
        return True
    if day - easter(when.year) in _EASTER.get(country, _EASTER_ELSEWHERE):
        return True
    if country == "US":  # Martin Luther King, Labor Day, Thanksgiving
        return day in (_nth(when.year, 1, 0, 3), _nth(when.year, 9, 0, 1), _nth(when.year, 11, 3, 4))
    return False


@lru_cache(maxsize=16)
def easter(year: int) -> int:
    """Easter Sunday, by Gauss's rule for the Gregorian calendar, as a day counted from 1970-01-01."""
    century, golden = year // 100, year % 19
    skipped = century - century // 4 - (8 * century + 13) // 25
    moon = (19 * golden + skipped + 15) % 30
    moon -= moon // 28 * (1 - moon // 28 * (29 // (moon + 1)) * ((21 - golden) // 11))
    sunday = moon - (year + year // 4 + moon + 2 - century + century // 4) % 7
    month = 3 + (sunday + 40) // 44
    return (date(year, month, sunday + 28 - 31 * (month // 4)) - _EPOCH).days


@lru_cache(maxsize=256)
def offset(zone: str, day: int) -> int:
    """Milliseconds by which clocks of a zone are ahead of UTC at noon of a UTC day."""
    noon = datetime.fromtimestamp(day * 86_400 + 43_200, UTC).astimezone(ZoneInfo(zone))
    shift = noon.utcoffset()
    assert shift is not None  # noqa: S101 -- an aware datetime has one
    return int(shift.total_seconds() * 1000)


def moment(rng: Random, zone: str, day: int) -> int:
    """Milliseconds since 1970 at which somebody in `zone` begins a visit, within the UTC day."""
    hour = min(23, bisect(_HOURS_SO_FAR, rng.random() * _HOURS_SO_FAR[-1]))
    local = hour * 3_600_000 + int(rng.random() * 3_600_000)
    return day * DAY_MS + (local - offset(zone, day)) % DAY_MS
