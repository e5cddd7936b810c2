"""Judges what is in the warehouse by what was sent. Pure.

Guarantee: independent of the ledger's own arithmetic: the ids that were sent are compared one by one with the
ids that are stored, and the counts with those of the truth that the shop wrote.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ingestion.ledger import Balance

MOST_NAMED = 3


@dataclass(slots=True)
class Sent:
    """What the topic holds: good ids with how often each was sent, bad records, and repeats the shop doesn't know."""

    ids: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    echoed: int = 0

    def counts(self) -> dict[str, int]:
        """Records, as the truth names them."""
        good = sum(self.ids.values())
        return {
            "sent": good + self.bad,
            "loaded": len(self.ids),
            "duplicate": good - len(self.ids),
            "quarantined": self.bad,
        }


@dataclass(slots=True)
class Verdict:
    """Counts of records. lost: good ids sent that have no row; twice: rows too many; residual: in no book."""

    sent: int
    loaded: int
    duplicate: int
    quarantined: int
    in_flight: int
    lost: int
    twice: int
    residual: int
    differences: list[str]


def judge(truth: dict[str, Any], sent: Sent, stored: dict[str, int], books: Balance) -> Verdict:
    """Compare. `truth`: the shop's truth file; `stored`: messageId to the number of its rows."""
    differences = list(books.differences)
    lost = sorted(sent.ids.keys() - stored.keys())
    unsent = sorted(stored.keys() - sent.ids.keys())
    twice = sorted(name for name, rows in stored.items() if rows > 1)
    for what, names in (("lost", lost), ("stored but never sent", unsent), ("stored twice", twice)):
        if names:
            some = ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")
            differences.append(f"raw.events: {len(names):,} ids {what}: {some}")
    counts = sent.counts()
    for name, want in counts.items():
        told = truth[name] + (sent.echoed if name in ("sent", "duplicate") else 0)
        for who, have in (("the truth", told), ("the ledger", getattr(books, name))):
            if have != want:
                differences.append(f"{name}: the stream holds {want:,}, {who} says {have:,}")
    rows = sum(stored.values())
    residual = counts["sent"] - books.loaded - books.duplicate - books.quarantined - books.in_flight
    if residual:
        differences.append(f"residual: {residual:,} records sent are in no book (or, below 0, in two)")
    if books.in_flight:
        differences.append(f"in flight: {books.in_flight:,} records, though all should be loaded")
    return Verdict(
        counts["sent"], rows, books.duplicate, books.quarantined, books.in_flight,
        len(lost), rows - len(stored), residual, differences,
    )  # fmt: skip
