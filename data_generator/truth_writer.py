"""The long part of the truth: one NDJSON file a subject, written while the events go out.

Guarantee: a file has its name only when it is whole; until then it is FILE.part.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import msgspec

from data_generator.encode import iso
from data_generator.facts import Record, Refund, Sale
from data_generator.scenario import Window
from data_generator.sessions import Session
from mercato.errors import WrongUse

FILES = ("faults", "orders", "refunds", "sessions", "customers")
_BUFFER = 1 << 18

_encode = msgspec.json.Encoder().encode


def folder_of(path: Path) -> Path:
    """Where the long part of the truth at `path` goes: truth.json → truth.d."""
    return path.with_name(f"{path.stem}.d")


class TruthWriter:
    """Writes the files of a folder; the meaning of each field: architecture/truth.md.

    Raises:
        WrongUse: the folder can't be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        try:
            folder.mkdir(exist_ok=True)
            for name in FILES:
                self._files[name] = self._part(name).open("wb", _BUFFER)
        except OSError as error:
            self.abort()
            raise WrongUse(f"{folder} can't be written: {error.strerror}", "choose another path") from None

    def _part(self, name: str) -> Path:
        return self._folder / f"{name}.ndjson.part"

    def _put(self, name: str, row: dict[str, Any]) -> None:
        self._files[name].write(_encode(row) + b"\n")

    def window(self, window: Window) -> None:
        """A window of the scenario, among the faults."""
        row = {"kind": f"window:{window.kind}", "start": iso(window.start), "end": iso(window.end)}
        self._put("faults", row | {"strength": window.strength})

    def fault(self, record: Record, reason: str | None) -> None:
        """A record that was hit; `reason` in the quarantine, if it goes there."""
        row = {"kind": record.fault, "message_id": record.message_id, "event": record.name}
        times = {"timestamp": iso(record.at), "delivered": iso(record.delivered)}
        self._put("faults", row | times | {"reason": reason})

    def order(self, sale: Sale, at: int, channel: str, units: int, gross: int) -> None:
        """An order that survived."""
        lines = [
            {"product_id": line.product_id, "units": line.units, "gross_minor": line.gross}
            for line in sale.lines
        ]
        self._put(
            "orders",
            {
                "order_id": sale.order_id,
                "user_id": sale.user_id,
                "country": sale.country,
                "currency": sale.currency,
                "channel": channel,
                "at": iso(at),
                "units": units,
                "gross_minor": gross,
                "discount_minor": sale.discount,
                "shipping_minor": sale.shipping,
                "tax_minor": sale.tax,
                "lines": lines,
            },
        )

    def refund(self, refund: Refund, at: int) -> None:
        """A refund that survived."""
        who = {"order_id": refund.order_id, "user_id": refund.user_id, "country": refund.country}
        self._put(
            "refunds", who | {"currency": refund.currency, "at": iso(at), "subtotal_minor": refund.subtotal}
        )

    def session(self, visitor: str, session: Session) -> None:
        """A session that is over."""
        self._put(
            "sessions",
            {
                "visitor": visitor,
                "start": iso(session.first),
                "end": iso(session.last),
                "events": session.events,
                "converted": session.converted,
                "channel": session.channel,
            },
        )

    def customers(self, rows: Iterable[dict[str, Any]]) -> None:
        """All customers, at the end."""
        for row in rows:
            self._put("customers", row)

    def close(self) -> None:
        """Put the whole files in their places."""
        for file in self._files.values():
            file.close()
        for name in FILES:
            self._part(name).replace(self._folder / f"{name}.ndjson")

    def abort(self) -> None:
        """Remove what was begun; the files of an earlier run stay."""
        for name, file in self._files.items():
            self._part(name).unlink(missing_ok=True)
            file.close()
