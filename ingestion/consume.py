"""The consumer: stream to warehouse until stopped, or until nothing is left.

Guarantee: each record of the topic is booked exactly once, whoever is killed whenever. Positions live in
the warehouse and move in the transaction that writes the rows; the broker's own group offsets are not used.
Where Postgres or the broker is away it says so, waits, and goes on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event

from ingestion import warehouse
from ingestion.batch import Batch
from ingestion.stream import Stream
from ingestion.warehouse import Written
from ingestion.writer import Writer
from mercato.errors import Fenced, ServiceUnavailable
from mercato.kafka_admin import Admin
from mercato.postgres import Connection, Endpoint, Gone, connect
from mercato.settings import Settings

LONGEST_WAIT = 10.0  # seconds between two tries while a service is away


@dataclass(slots=True)
class Consumer:
    """One worker. `on_batch` hears of each committed batch, `on_trouble` of each reason to wait, `on_turn` each
    second or so while both services are there."""

    settings: Settings
    endpoint: Endpoint
    bootstrap_servers: str
    until_empty: bool = False
    on_batch: Callable[[Written], None] = lambda _: None
    on_trouble: Callable[[str], None] = lambda _: None
    on_turn: Callable[[], object] = lambda: None
    stop: Event = field(default_factory=Event)
    _progress: bool = False

    def run(self) -> None:
        """Load until `stop` is set, or, with `until_empty`, all that was there at the start is loaded.

        Raises:
            ServiceUnavailable: Postgres or the broker is away from the first; later it is waited for.
            PositionLost: the broker deleted records before they were loaded.
        """
        connect(self.endpoint).close()
        Admin(self.bootstrap_servers).close()

        failures = 0
        while not self.stop.is_set():
            self._progress = False
            try:
                self._session()
                return
            except (ServiceUnavailable, Fenced, *Gone) as error:
                # Who was fenced only has to read the positions again; who waits for a service waits longer.
                failures = 0 if self._progress or isinstance(error, Fenced) else failures + 1
                self.on_trouble(str(error).strip().splitlines()[0])
                self.stop.wait(min(LONGEST_WAIT, 0.1 * 2**failures))

    def _session(self) -> None:
        """Connect to both sides and load until done or something breaks."""
        with (
            self._connect() as connection,
            self._connect() as another,
            Admin(self.bootstrap_servers) as admin,
        ):
            stream = Stream(
                self.bootstrap_servers, self.settings.kafka.group, self.settings.kafka.topic, admin,
                self.settings.ingestion.fetch_wait_ms,
            )  # fmt: skip
            try:
                with Writer((connection, another), stream.check_same_topic, self._written) as writer:
                    self._load(connection, stream, writer)
                    writer.settle()
            finally:
                stream.close()

    def _connect(self) -> Connection:
        # Not waiting for the disk is safe: rows and positions are in one transaction, so what a crash of the server
        # takes is read again.
        return connect(self.endpoint, autocommit=True, application="mercato consume", synchronous=False)

    def _load(self, connection: Connection, stream: Stream, writer: Writer) -> None:
        """Read and write batches until done."""
        uid, partitions = stream.topic.topic_id, list(stream.topic.partitions)
        goal = stream.end_offsets() if self.until_empty else None

        def positions(numbers: list[int], starts: dict[int, int]) -> dict[int, int]:
            writer.settle()  # the connections are ours again, and the positions are those after its batch
            return warehouse.positions(connection, stream.source, uid, numbers, starts)

        start = stream.take_all if self.until_empty else stream.subscribe
        start(positions)
        while not self.stop.is_set():
            self.on_turn()
            batch = self._fill(stream)
            if batch is not None and batch.ranges:
                writer.submit(batch)
                if stream.assigned is not None:  # where the next batch begins, if this one is committed
                    stream.assigned.update({number: span.next for number, span in batch.ranges.items()})
            elif goal is not None:
                reached = positions(partitions, {})
                if all(reached[number] >= end for number, end in goal.items()):
                    return

    def _written(self, written: Written) -> None:
        self._progress = True
        self.on_batch(written)

    def _fill(self, stream: Stream) -> Batch | None:
        """Collect a batch: closed by rows, bytes or time since its first record, or by a change of partitions."""
        limits = self.settings.ingestion
        batch: Batch | None = None
        deadline = time.monotonic() + limits.batch_seconds
        while time.monotonic() < deadline and not self.stop.is_set():
            read = stream.read(min(1_000, limits.batch_rows), min(0.05, limits.batch_seconds))
            if stream.assigned is None:
                return None  # partitions were taken away: what was read is somebody else's to load
            if batch is None:
                batch = Batch(
                    stream.source, stream.topic.topic_id, dict(stream.assigned), limits.max_record_bytes
                )
            elif batch.positions != stream.assigned:
                return None  # a rebalance in the middle: read again from the positions
            now = datetime.now(UTC)
            batch.extend(read.records, now)
            for partition, position in read.ends.items():
                batch.reach(partition, position)
            if batch.records >= limits.batch_rows or batch.size >= limits.batch_bytes:
                break
            if self.until_empty and not (read.records or read.ends):
                break
        if batch is not None:
            batch.ends = stream.known_ends()
        return batch
