"""The truth about what was sent: counts and money, added up record by record as they go out.

A lost event (broken, mistyped, incomplete) is not in the numbers, a copy is in them once: what a right
warehouse must show. Meaning of each field: architecture/truth.md. Session rule: per anonymousId, in the
order of the timestamps, a gap of more than 30 minutes begins a new one.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from data_generator.config import DAY_MS, Config
from data_generator.encode import day_text, iso
from data_generator.facts import Record, Refund
from data_generator.faults import KINDS, MAX_LATE
from data_generator.world import CURRENCY
from mercato.errors import WrongUse
from mercato.events import VERSION

TRUTH_VERSION = 1
GAP = 30 * 60_000

_MONEY = ("gross_revenue", "discounts", "refunds", "net_revenue", "shipping", "tax")
_FIELDS = ("orders", "units", *(f"{name}_minor" for name in _MONEY), "sessions", "converted_sessions")


class _Session:
    """First and last moment so far, and whether an order fell into it."""

    __slots__ = ("converted", "first", "last")

    def __init__(self, first: int, last: int, converted: bool) -> None:
        self.first = first
        self.last = last
        self.converted = converted


class Truth:
    """Adds up records in the order of their delivery. Memory: the sessions of the last days, a row a day."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.sent = 0
        self.faults = dict.fromkeys(KINDS, 0)
        self._days: dict[int, dict[str, int]] = {}
        self._open: dict[str, list[_Session]] = {}
        self._swept = 0

    @property
    def quarantined(self) -> int:
        """Records that the contract refuses."""
        return sum(self.faults[kind] for kind, reason in KINDS.items() if reason)

    @property
    def loaded(self) -> int:
        """Different good events."""
        return self.sent - self.faults["duplicate"] - self.quarantined

    def add(self, records: Iterable[Record]) -> None:
        """Count records that were sent."""
        for record in records:
            self.sent += 1
            fault = record.fault
            if fault:
                self.faults[fault] += 1
                if fault != "late":
                    continue
            fact = record.fact
            if record.visitor is not None:
                self._visit(record.visitor, record.at, fact is not None)
            if fact is not None:
                self._book(record.at, fact)
            if record.delivered - self._swept > DAY_MS:
                self._sweep(record.delivered)

    def _book(self, at: int, fact: Any) -> None:
        day = self._day(at)
        if isinstance(fact, Refund):
            day["refunds_minor"] += fact.subtotal
            return
        day["orders"] += 1
        day["units"] += sum(line.units for line in fact.lines)
        day["gross_revenue_minor"] += sum(line.gross for line in fact.lines)
        day["discounts_minor"] += fact.discount
        day["shipping_minor"] += fact.shipping
        day["tax_minor"] += fact.tax

    def _visit(self, visitor: str, at: int, ordered: bool) -> None:
        sessions = self._open.get(visitor)
        if sessions is None:
            self._open[visitor] = [_Session(at, at, ordered)]
            return
        newest = sessions[-1]
        if newest.first <= at <= newest.last + GAP:
            newest.last = max(newest.last, at)
            newest.converted = newest.converted or ordered
            return
        # Out of order: a late event can stretch a session, or close the gap between two.
        near = [one for one in sessions if one.first - GAP <= at <= one.last + GAP]
        joined = _Session(
            min([at, *(one.first for one in near)]),
            max([at, *(one.last for one in near)]),
            ordered or any(one.converted for one in near),
        )
        sessions[:] = sorted(
            [*(one for one in sessions if one not in near), joined], key=lambda one: one.first
        )

    def _sweep(self, now: int) -> None:
        """Book the sessions that nothing delivered from `now` on can touch."""
        self._swept = now
        for visitor in list(self._open):
            kept = []
            for session in self._open[visitor]:
                if session.last + GAP < now - MAX_LATE:
                    _end(session, self._day(session.first))
                else:
                    kept.append(session)
            if kept:
                self._open[visitor] = kept
            else:
                del self._open[visitor]

    def _day(self, at: int) -> dict[str, int]:
        return self._days.setdefault(at // DAY_MS, dict.fromkeys(_FIELDS, 0))

    def document(self) -> dict[str, Any]:
        """The truth so far, as in architecture/truth.md; more records can be added afterwards."""
        rows = {day: dict(row) for day, row in self._days.items()}
        for sessions in self._open.values():
            for session in sessions:
                _end(session, rows.setdefault(session.first // DAY_MS, dict.fromkeys(_FIELDS, 0)))
        for row in rows.values():
            row["net_revenue_minor"] = (
                row["gross_revenue_minor"] - row["discounts_minor"] - row["refunds_minor"]
            )
        totals: dict[str, Any] = {name: sum(row[name] for row in rows.values()) for name in _FIELDS}
        sessions_seen = totals["sessions"]
        totals["conversion_rate"] = (
            round(totals["converted_sessions"] / sessions_seen, 6) if sessions_seen else 0.0
        )
        return {
            "truth_version": TRUTH_VERSION,
            "contract_version": VERSION,
            "seed": self.config.seed,
            "start": iso(self.config.start_ms),
            "end": iso(self.config.end_ms),
            "faults_rate": self.config.faults,
            "sent": self.sent,
            "loaded": self.loaded,
            "duplicate": self.faults["duplicate"],
            "quarantined": self.quarantined,
            "quarantined_by_reason": {reason: self.faults[kind] for kind, reason in KINDS.items() if reason},
            "faults": dict(self.faults),
            "totals": totals,
            "by_day": [{"day": day_text(day), "currency": CURRENCY, **rows[day]} for day in sorted(rows)],
        }

    def write(self, path: Path) -> None:
        """Write the document whole or not at all."""
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(msgspec.json.format(msgspec.json.encode(self.document()), indent=2) + b"\n")
        part.replace(path)


def _end(session: _Session, row: dict[str, int]) -> None:
    row["sessions"] += 1
    row["converted_sessions"] += session.converted


def check_writable(path: Path) -> None:
    """Refuse a path that can't be written, before the work and not after it.

    Raises:
        WrongUse: its folder is missing or closed to us, or it is a folder.
    """
    if path.is_dir():
        raise WrongUse(f"{path} is a folder", "name a file")
    if not path.parent.is_dir():
        raise WrongUse(f"there is no folder {path.parent}", f"`mkdir -p {path.parent}`")
    if not os.access(path.parent, os.W_OK):
        raise WrongUse(f"{path.parent} can't be written", "choose another path")
