"""A connection to Postgres that strikes its own process at a chosen boundary, from outside the product's code.

Every round trip of the driver passes `Connection.wait`, so boundaries are counted there, whatever the statements
are: a transaction begins with the first round trip from the idle state, a COPY is a busy connection outside a
pipeline, and the COMMIT is the round trip after the outermost `transaction()` block.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from signal import SIGKILL, Signals
from typing import Any

from mercato.postgres import Connection

#: So many transactions may be too short for a step; the one after them is struck at its COMMIT.
SHORT = 3

_ANSWER = 1  # what a generator of the driver yields to wait for bytes to read: all was sent


@dataclass(frozen=True, slots=True)
class Failpoint:
    """Where to strike, and with which signal: SIGKILL, or SIGSTOP to be woken by somebody else.

    `kind`: statement, commit or copy. `transaction`: not before this one. `step`: the round trip in it (in its
    COPY), in the first transaction that has so many. `edge`: before, sent or after.
    """

    kind: str
    transaction: int
    step: int
    edge: str
    signal: Signals = SIGKILL


class Striking(Connection[Any]):
    """Counts boundaries over all connections of the process and strikes once, at the armed one."""

    armed: Failpoint | None = None
    #: Hears where it strikes, just before.
    tell: Callable[[str], None] = staticmethod(lambda _: None)
    transactions = 0  # of all connections
    steps = 0  # of this one's transaction
    copied = 0
    _committing = False

    @contextmanager
    def transaction(self, *words: Any, **named: Any) -> Iterator[Any]:
        """The driver's block; marks the round trip that ends the outermost one."""
        outermost = self._state() == "IDLE"
        with super().transaction(*words, **named) as block:
            yield block
            self._committing = outermost

    def commit(self) -> None:
        """The driver's commit, marked."""
        self._committing = True
        super().commit()

    def wait(self, gen: Generator[Any, Any, Any], *words: Any, **named: Any) -> Any:
        """One round trip; strikes before it, when it is sent, or after it, if that is where to strike."""
        committing, self._committing = self._committing, False
        mine = Striking
        if self._state() == "IDLE":
            mine.transactions += 1
            self.steps = self.copied = 0
        self.steps += 1
        self.copied += self._state() == "ACTIVE" and self.info.pipeline_status.name == "OFF"
        if not self._here(committing):
            return super().wait(gen, *words, **named)
        edge = mine.armed.edge if mine.armed else ""
        if edge == "before":
            self._strike()
        found = super().wait(self._sending(gen) if edge == "sent" else gen, *words, **named)
        self._strike()
        return found

    def _state(self) -> str:
        return self.info.transaction_status.name

    def _here(self, committing: bool) -> bool:
        point, mine = Striking.armed, Striking
        if point is None or mine.transactions < point.transaction:
            return False
        if point.kind == "copy":
            return self.copied > 0 and (self.copied >= point.step or self._state() != "ACTIVE")
        if point.kind == "commit" or mine.transactions > point.transaction + SHORT:
            return committing
        return self.steps >= point.step

    def _sending(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """The same generator, struck at the moment when all is sent and nothing is answered."""
        try:
            wish = next(gen)
            while True:
                if wish == _ANSWER:
                    self._strike()
                wish = gen.send((yield wish))
        except StopIteration as end:
            return end.value

    def _strike(self) -> None:
        point, Striking.armed = Striking.armed, None
        if point is not None:
            Striking.tell(f"{point.kind} {point.edge}: transaction {self.transactions}, step {self.steps}")
            os.kill(os.getpid(), point.signal)
