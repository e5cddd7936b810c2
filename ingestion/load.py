"""Event files to warehouse, through the same batches as the stream.

Guarantee: each line is booked exactly once, whoever is killed whenever and however many load the same file. The
source's id is the hash of the file's content and a position is the number of its line, the first is 1: what comes again
adds nothing, and a load that was killed goes on at its line. What was loaded is on the server's disk: the file may go.
Blank lines hold no record. Memory: three batches.
Run alone: `mercato load FILE`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ingestion.batch import Batch
from ingestion.files import EventFile, lines
from ingestion.sql import query
from ingestion.warehouse import Written, positions
from ingestion.writer import Writer
from mercato.errors import Fenced, ServiceUnavailable
from mercato.postgres import Connection, Endpoint, Gone, connect
from mercato.settings import Ingestion

PARTITION = 0
SLICE = 1_000  # lines decoded at once, as many as are read of a stream


@dataclass(frozen=True, slots=True)
class Place:
    """What a file is booked under, and the line to go on with."""

    source: str
    line: int


def place(connection: Connection, file: EventFile, name: str) -> Place:
    """Where the file continues: under the name that it first came by, or anew as `file:` and this name."""
    with connection.transaction():
        connection.execute(query("lock_file"), {"source_uid": file.uid})
        row = connection.execute(query("file_source"), {"source_uid": file.uid}).fetchone()
        source = row[0] if row else f"file:{name}"
        at = positions(connection, source, file.uid, [PARTITION], {PARTITION: 1})
    return Place(source, at[PARTITION])


def load(
    endpoint: Endpoint,
    file: EventFile,
    name: str,
    limits: Ingestion,
    on_batch: Callable[[Written], None] = lambda _: None,
) -> Place:
    """Load what isn't in yet; returns where it began. `on_batch` hears of each committed batch.

    Raises:
        ServiceUnavailable: Postgres is away, or went away; what is committed stays.
        MercatoError: the file was changed meanwhile; what is committed stays.
    """
    began: Place | None = None
    while True:
        try:
            with (
                connect(endpoint, autocommit=True, application="mercato load") as connection,
                connect(endpoint, autocommit=True, application="mercato load") as another,
            ):
                at = place(connection, file, name)
                began = began or at
                with Writer((connection, another), file.check_unchanged, on_batch) as writer:
                    for batch in _batches(file, at, limits):
                        writer.submit(batch)
                    writer.settle()
            return began
        except Fenced:  # somebody else loads the same file: go on behind them
            continue
        except Gone as error:
            raise ServiceUnavailable(
                f"Postgres went away while {file.path} was being loaded: {str(error).strip().splitlines()[0]}",
                "start it; the same command goes on where this one ended",
            ) from None


def _batches(file: EventFile, at: Place, limits: Ingestion) -> Iterator[Batch]:
    def begin(line: int) -> Batch:
        new = Batch(at.source, file.uid, {PARTITION: line}, limits.max_record_bytes)
        new.ends = {PARTITION: file.lines + 1}
        return new

    batch, number = begin(at.line), 1  # of the next line
    for some in lines(file.path):
        skipped, number = max(0, at.line - number), number + len(some)
        left = some[skipped:]
        while left:
            now = left[: min(SLICE, limits.batch_rows - batch.records)]
            left = left[len(now) :]
            after = number - len(left)
            numbered = enumerate(now, after - len(now))
            batch.extend(
                [(PARTITION, line, raw, None) for line, raw in numbered if raw.strip()], datetime.now(UTC)
            )
            batch.reach(PARTITION, after)
            if batch.records >= limits.batch_rows or batch.size >= limits.batch_bytes:
                yield batch
                batch = begin(after)
    if batch.ranges:
        yield batch
