"""A broken product for `mercato chaos`: the position is committed before the rows, in a transaction of its own."""

from ingestion import writer
from ingestion.batch import Batch
from ingestion.warehouse import Ahead, Written
from mercato.errors import Fenced
from mercato.postgres import Connection

WHERE = "where source = %s and source_uid = %s and partition = %s"
write_batch = writer.write_batch


def position_first(connection: Connection, batch: Batch, ahead: Ahead | None) -> Written:
    if ahead:
        ahead.written.result()  # one after the other: another fault would hide this one
    keys = {number: [batch.source, batch.source_uid, number] for number in batch.ranges}

    def move(number: int, position: int, more: str = "") -> int:
        return connection.execute(
            f"update ops.positions set next_position = %s {WHERE} {more}", [position, *keys[number]]
        ).rowcount

    with connection.transaction():
        for number, span in batch.ranges.items():
            if not move(number, span.next, f"and next_position = {span.first}"):
                raise Fenced("the same")
    # A kill here loses the batch.
    with connection.transaction():
        stored = {}
        for number in batch.ranges:
            row = connection.execute(
                f"select next_position from ops.positions {WHERE} for update", keys[number]
            ).fetchone()
            assert row
            stored[number] = row[0]
        for number, span in batch.ranges.items():
            move(number, span.first)  # what the real one expects
        written = write_batch(connection, batch)
        for number, position in stored.items():
            move(number, position)
    return written


writer.write_batch = position_first
