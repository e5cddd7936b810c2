"""Sessions as they form: per anonymousId, in the order of the timestamps, a gap of over 30 minutes begins another.

Events come in the order of delivery. One that is held back for longer than faults.ON_TIME is promised, on
time, before it comes; so a session can be closed as soon as nothing on time and nothing promised can touch it.
"""

from collections.abc import Iterator

from data_generator.faults import ON_TIME

GAP = 30 * 60_000
_SWEEP = 60 * 60_000


class Session:
    """First event (moment, id, channel), last moment, how many events, whether an order is among them."""

    __slots__ = ("channel", "converted", "events", "first", "first_id", "last")

    def __init__(self, at: int, message_id: str, channel: str, ordered: bool) -> None:
        self.first = self.last = at
        self.first_id = message_id
        self.channel = channel
        self.events = 1
        self.converted = ordered

    def take(self, other: "Session") -> None:
        """Join with another; of two events in the same millisecond the one with the lower id is first."""
        if (other.first, other.first_id) < (self.first, self.first_id):
            self.first, self.first_id, self.channel = other.first, other.first_id, other.channel
        self.last = max(self.last, other.last)
        self.events += other.events
        self.converted = self.converted or other.converted


class Sessions:
    """The open sessions. Memory: those of the last hour or two, and those that a promised event may touch."""

    def __init__(self) -> None:
        self._open: dict[str, list[Session]] = {}
        self._held: dict[str, list[Session]] = {}
        self._promised: dict[str, list[int]] = {}
        #: Moment of delivery, in ms, from which `closed` has something to do again.
        self.due = 0

    def __len__(self) -> int:
        return sum(len(sessions) for some in (self._open, self._held) for sessions in some.values())

    def add(self, visitor: str, at: int, message_id: str, channel: str, ordered: bool) -> None:
        """An event of a visitor, at a moment in ms; `ordered` if it is an order."""
        sessions = self._open.get(visitor)
        if sessions is None:
            self._open[visitor] = [Session(at, message_id, channel, ordered)]
            return
        newest = sessions[-1]
        if newest.first < at <= newest.last + GAP:  # nearly always
            newest.events += 1
            if at > newest.last:
                newest.last = at
            if ordered:
                newest.converted = True
            return
        # Out of order: it can begin or stretch a session, or close the gap between two.
        joined, apart = Session(at, message_id, channel, ordered), []
        for session in sessions:
            if session.first - GAP <= at <= session.last + GAP:
                joined.take(session)
            else:
                apart.append(session)
        self._open[visitor] = sorted([*apart, joined], key=lambda one: one.first)

    def promise(self, visitor: str, at: int) -> None:
        """An event of this moment is overdue and will come: `keep` says when."""
        self._promised.setdefault(visitor, []).append(at)

    def keep(self, visitor: str, at: int) -> None:
        """The promised event has come; to be called before `add`."""
        left = self._promised[visitor]
        left.remove(at)
        if not left:
            del self._promised[visitor]
        if held := self._held.pop(visitor, None):
            self._open[visitor] = sorted(
                [*held, *self._open.get(visitor, ())], key=lambda session: session.first
            )

    def closed(self, now: int) -> Iterator[tuple[str, Session]]:
        """The sessions that nothing delivered from `now` on can touch; they are forgotten here."""
        self.due = now + _SWEEP
        for visitor in list(self._open):
            kept = []
            for session in self._open[visitor]:
                if session.last + GAP + ON_TIME >= now:
                    kept.append(session)
                elif self._awaits(visitor, session):
                    self._held.setdefault(visitor, []).append(session)
                else:
                    yield visitor, session
            if kept:
                self._open[visitor] = kept
            else:
                del self._open[visitor]

    def _awaits(self, visitor: str, session: Session) -> bool:
        promised = self._promised.get(visitor, ())
        return any(session.first - GAP <= at <= session.last + GAP for at in promised)

    def rest(self) -> Iterator[tuple[str, Session]]:
        """All that are still open; what was promised and hasn't come doesn't count."""
        for some in (self._open, self._held):
            for visitor, sessions in some.items():
                for session in sessions:
                    yield visitor, session
