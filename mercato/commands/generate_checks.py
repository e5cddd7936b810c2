"""What `mercato generate` can't do, refused in one line before any work."""

from datetime import UTC, datetime, timedelta

from data_generator.config import midnight
from data_generator.fault_kinds import KINDS
from data_generator.workers import SHARDS
from mercato.errors import WrongUse

DAYS = 30
#: Days that --live lasts at most.
LIVE_DAYS = 366


def check_pace(
    workers: int, rate: float | None, speed: float | None, live: bool, minutes: float | None
) -> None:
    """Refuse paces that can't be, or that contradict each other.

    Raises:
        WrongUse: with the cure.
    """
    if not 1 <= workers <= SHARDS:
        raise WrongUse(f"--workers is {workers}", f"ask for 1 to {SHARDS} processes")
    if rate is not None and not 0 < rate < float("inf"):
        raise WrongUse(f"--rate is {rate}", "ask for more than 0 events a second, or leave it out")
    if speed is not None and not 0 < speed < float("inf"):
        raise WrongUse(
            f"--speed is {speed}", "ask for more than 0: 1 is as fast as life, 3600 an hour a second"
        )
    if speed is not None and (rate is not None or live):
        raise WrongUse(
            "--speed sets the pace, and so does --rate or --live",
            "give one of them: `--speed 1` is as fast as life",
        )
    if minutes is not None and not live:
        raise WrongUse("--minutes is the length of --live", "add --live, or use --days")
    if minutes is not None and not 0 < minutes <= (LIVE_DAYS - 2) * 1440:
        raise WrongUse(f"--minutes is {minutes}", "ask for more than 0 and at most a year")


def span_of(
    days: int | None, start: datetime | None, end: datetime | None, now: datetime
) -> tuple[int, datetime]:
    """Length and end of the history, from whichever of the three options are given.

    Raises:
        WrongUse: they contradict each other, or name the future.
    """
    today = midnight(now)
    first = start.replace(tzinfo=UTC) if start else None
    last = end.replace(tzinfo=UTC) if end else None
    if first and last is None:
        try:
            last = first + timedelta(days=days) if days else today
        except OverflowError:
            raise WrongUse(f"--days is {days}", "ask for fewer days") from None
    last = last or today
    if last > today:
        raise WrongUse(
            f"the history ends on {last:%Y-%m-%d}, in the future", f"end it at {today:%Y-%m-%d} or before"
        )
    if first is None:
        return (DAYS if days is None else days), last
    span = (last - first).days
    if span < 1:
        raise WrongUse(
            f"the history starts on {first:%Y-%m-%d} and ends on {last:%Y-%m-%d}", "let it start earlier"
        )
    if days is not None and days != span:
        raise WrongUse(f"--start, --end and --days {days} contradict each other", "leave one of them out")
    return span, last


def rates_of(words: str) -> float | dict[str, float]:
    """Read --faults: a share for all kinds together, or `kind=share,…`.

    Raises:
        WrongUse: it is neither.
    """
    try:
        if "=" not in words:
            return float(words)
        pairs = (part.partition("=") for part in words.split(","))
        rates = {kind.strip().replace("-", "_"): float(share) for kind, _, share in pairs}
    except ValueError:
        raise WrongUse(f"--faults is {words!r}", "write 0.01, or by kind: late=0.02,duplicate=0.01") from None
    if unknown := rates.keys() - KINDS.keys():
        raise WrongUse(f"--faults: there is no {min(unknown)}", f"the kinds are {', '.join(KINDS)}")
    return rates
