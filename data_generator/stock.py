"""What lies in a fulfilment centre: it runs out, and is filled up some days after it ran low."""

import heapq
from collections.abc import Iterator
from random import Random

from data_generator.config import DAY_MS

#: Days of mean demand that a full shelf lasts.
_LASTS = (12, 45)
_LEAD_DAYS = (3, 11)
#: What sells is counted now and then, so that what the shop has told becomes right again after a lost delivery.
_COUNTED_AFTER_DAYS = 30


class Stock:
    """Pieces of each product, by its number; never below zero."""

    def __init__(self, seed: str, units_per_day: list[float]) -> None:
        rng = Random(f"{seed}/stock")  # noqa: S311 -- a simulation, to be repeated
        #: Pieces of a delivery.
        self.lot = [max(3, round(units * rng.randint(*_LASTS))) for units in units_per_day]
        self.level = list(self.lot)
        self._lead = Random(f"{seed}/deliveries")  # noqa: S311
        self._ordered: set[int] = set()
        self._counted: dict[int, int] = {}
        self._due: list[tuple[int, int]] = []

    def take(self, number: int, units: int, now: int) -> None:
        """Sell pieces; a low shelf orders a delivery.

        Raises:
            ValueError: there are fewer.
        """
        if units > self.level[number]:
            raise ValueError(f"{units} of product {number} wanted, {self.level[number]} there")
        self.level[number] -= units
        if self.level[number] * 4 <= self.lot[number] and number not in self._ordered:
            self._ordered.add(number)
            days = self._lead.uniform(*_LEAD_DAYS)
            heapq.heappush(self._due, (now + int(days * DAY_MS), number))

    def to_be_counted(self, number: int, now: int) -> bool:
        """Whether a product that sells at this moment (ms) wasn't counted lately; from now on it was."""
        if now - self._counted.get(number, -(1 << 60)) < _COUNTED_AFTER_DAYS * DAY_MS:
            return False
        self._counted[number] = now
        return True

    def delivered(self, until: int) -> Iterator[tuple[int, int, int]]:
        """Put the deliveries before `until` on the shelf; yields moment, product and pieces."""
        while self._due and self._due[0][0] < until:
            moment, number = heapq.heappop(self._due)
            self._ordered.discard(number)
            self.level[number] += self.lot[number]
            yield moment, number, self.lot[number]
