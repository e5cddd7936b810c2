"""What history to simulate; wrong wishes are refused here, before any work. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from data_generator.scenario import Scenario
from mercato.errors import WrongUse

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Config:
    """The history [end − days, end) of one shop. The same values give the same bytes.

    `end` is midnight UTC; `sessions_per_day` is the mean of an ordinary year, reached in the middle of the
    history; `faults` is the share of events hit, in all or by kind; `growth` is by the year, 0.2 for a fifth
    more visits.

    Raises:
        WrongUse: a value is out of its range.
    """

    seed: int
    end: datetime
    days: int = 30
    sessions_per_day: int = 360
    faults: float | Mapping[str, float] = 0.01
    growth: float = 0.2
    scenario: Scenario = field(default_factory=Scenario)

    def __post_init__(self) -> None:
        if self.days < 1:
            raise WrongUse(f"--days is {self.days}", "ask for 1 day or more")
        if self.sessions_per_day < 1:
            raise WrongUse(
                f"--sessions-per-day is {self.sessions_per_day}", "ask for 1 session a day or more"
            )
        shares = self.faults.values() if isinstance(self.faults, Mapping) else [self.faults]
        if any(not 0 <= share <= 0.5 for share in shares) or sum(shares) > 0.5:
            raise WrongUse(f"--faults is {self.faults}", "a share of the events, by kind or in all: 0 to 0.5")
        if not -0.9 <= self.growth <= 10:
            raise WrongUse(f"growth is {self.growth}", "it is a share by the year: -0.9 to 10")
        if self.end.tzinfo is None or self.end.timestamp() * 1000 % DAY_MS:
            raise WrongUse(f"the end of the history is {self.end.isoformat()}", "end it at midnight UTC")
        try:
            early = self.start.year < 1970
        except OverflowError:
            early = True
        if early:
            raise WrongUse(
                f"{self.days} days before {self.end:%Y-%m-%d} is before 1970", "ask for fewer --days"
            )

    @property
    def start(self) -> datetime:
        """First moment of the history, UTC."""
        return self.end - timedelta(days=self.days)

    @property
    def start_ms(self) -> int:
        """First moment, in milliseconds since 1970."""
        return int(self.start.timestamp()) * 1000

    @property
    def end_ms(self) -> int:
        """The moment that no event reaches, in milliseconds since 1970."""
        return int(self.end.timestamp()) * 1000


def midnight(now: datetime) -> datetime:
    """00:00 UTC of the day of `now`."""
    return datetime.combine(now.astimezone(UTC).date(), time(), UTC)
