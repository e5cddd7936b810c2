"""The truth about what was sent: counts and money, added up record by record as they go out.

A lost event (broken, mistyped, incomplete, silenced) is not in the numbers, a copy is in them once: what a
right warehouse must show. Meaning of each field: architecture/truth.md.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from data_generator.config import Config
from data_generator.customers import Customers
from data_generator.encode import iso
from data_generator.facts import Record, Sale
from data_generator.fault_kinds import KINDS
from data_generator.faults import DELAYS, SILENCE
from data_generator.sessions import Session, Sessions
from data_generator.tally import MONEY, Sales, Visits
from data_generator.truth_writer import TruthWriter
from mercato.errors import WrongUse
from mercato.events import VERSION

TRUTH_VERSION = 2


class Truth:
    """Adds up records in the order of their delivery; writes the long part to `folder`, if one is given.

    Memory: what is open, a row a day, and a few dozen bytes a customer and month.

    Raises:
        WrongUse: the folder can't be written.
    """

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        self.config = config
        self.sent = 0
        self.silenced = 0
        self.faults = dict.fromkeys(KINDS, 0)
        self._sessions = Sessions()
        self._visits = Visits()
        self._sales = Sales()
        self._customers = Customers()
        self._writer = TruthWriter(folder) if folder else None
        if self._writer:
            for window in config.scenario.windows:
                self._writer.window(window)

    @property
    def quarantined(self) -> int:
        """Records that the contract refuses."""
        return sum(self.faults[kind] for kind, reason in KINDS.items() if reason)

    @property
    def loaded(self) -> int:
        """Different good events."""
        return self.sent - self.faults["duplicate"] - self.quarantined

    def add(self, records: Iterable[Record]) -> None:
        """Count records that were sent; those without a line were not, and are only heard."""
        sessions, sent = self._sessions, 0
        for record in records:
            delivered, message_id, _, line, fault, at, visitor, fact, channel, _ = record
            if line is None:
                self._hear(record)
                continue
            sent += 1
            if fault and not self._survives(record):
                continue
            if visitor is not None:
                sessions.add(visitor, at, message_id, channel, fact is not None and isinstance(fact, Sale))
            if fact is not None:
                self._book(record)
            if delivered >= sessions.due:
                for whose, session in sessions.closed(delivered):
                    self._end(whose, session)
        self.sent += sent

    def _hear(self, record: Record) -> None:
        if record.fault == SILENCE:
            self.silenced += 1
        elif record.visitor is not None:
            self._sessions.promise(record.visitor, record.at)

    def _survives(self, record: Record) -> bool:
        """Count the fault; False if the event is lost by it, or was counted before."""
        fault = record.fault
        self.faults[fault] += 1
        if self._writer:
            self._writer.fault(record, KINDS[fault])
        if fault in DELAYS and record.visitor is not None:
            self._sessions.keep(record.visitor, record.at)
        return fault != "duplicate" and KINDS[fault] is None

    def _book(self, record: Record) -> None:
        fact, at = record.fact, record.at
        if isinstance(fact, Sale):
            units = sum(line.units for line in fact.lines)
            gross = sum(line.gross for line in fact.lines)
            self._sales.sale(fact, at, record.channel, units, gross)
            self._customers.sale(fact, at, gross)
            if self._writer:
                self._writer.order(fact, at, record.channel, units, gross)
        elif fact is not None:
            self._sales.refund(fact, at)
            self._customers.refund(fact, at)
            if self._writer:
                self._writer.refund(fact, at)

    def _end(self, visitor: str, session: Session) -> None:
        self._visits.add(session)
        if self._writer:
            self._writer.session(visitor, session)

    def document(self) -> dict[str, Any]:
        """The summary so far, as in architecture/truth.md; more records can be added afterwards."""
        visits = self._visits.copy()
        for _, session in self._sessions.rest():
            visits.add(session)
        by_day, sessions_by_day = self._sales.by_day(), visits.by_day()
        by_cohort, by_cohort_revenue = self._customers.cohorts()
        reasons = dict.fromkeys((reason for reason in KINDS.values() if reason), 0)
        for kind, reason in KINDS.items():
            if reason:
                reasons[reason] += self.faults[kind]
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
            "quarantined_by_reason": reasons,
            "silenced": self.silenced,
            "faults": dict(self.faults),
            "totals": _totals(by_day, sessions_by_day, self._customers.count()),
            "by_day": by_day,
            "sessions_by_day": sessions_by_day,
            "by_product": self._sales.by_product(),
            "by_country": self._sales.by_country(),
            "by_channel": visits.by_channel(self._sales.orders_by_channel),
            "by_cohort": by_cohort,
            "by_cohort_revenue": by_cohort_revenue,
        }

    def write(self, path: Path) -> None:
        """Write the folder's files and then the summary, each whole or not at all. Nothing is added after it."""
        if self._writer:
            for visitor, session in self._sessions.rest():
                self._writer.session(visitor, session)
            self._writer.customers(self._customers.each())
            self._writer.close()
            self._writer = None
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(msgspec.json.format(msgspec.json.encode(self.document()), indent=2) + b"\n")
        part.replace(path)

    def abort(self) -> None:
        """Remove what was begun in the folder."""
        if self._writer:
            self._writer.abort()
            self._writer = None


def _totals(
    by_day: list[dict[str, Any]], sessions_by_day: list[dict[str, Any]], customers: int
) -> dict[str, Any]:
    sessions = sum(row["sessions"] for row in sessions_by_day)
    converted = sum(row["converted_sessions"] for row in sessions_by_day)
    money: dict[str, dict[str, int]] = {}
    for row in by_day:
        sums = money.setdefault(row["currency"], dict.fromkeys(MONEY, 0))
        for name in MONEY:
            sums[name] += row[name]
    return {
        "sessions": sessions,
        "converted_sessions": converted,
        "conversion_rate": round(converted / sessions, 6) if sessions else 0.0,
        "orders": sum(row["orders"] for row in by_day),
        "units": sum(row["units"] for row in by_day),
        "customers": customers,
        "by_currency": [{"currency": currency, **money[currency]} for currency in sorted(money)],
    }


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
