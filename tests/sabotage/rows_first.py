"""A broken product for `mercato chaos`: the rows are committed before the position and the ledger."""

from ingestion import writer
from ingestion.batch import Batch
from ingestion.warehouse import Ahead, Written
from mercato.postgres import Connection, sql

write_batch = writer.write_batch


def rows_first(connection: Connection, batch: Batch, ahead: Ahead | None) -> Written:
    if ahead:
        ahead.written.result()  # one after the other: another fault would hide this one
    keys = [batch.source, batch.source_uid]

    def move(positions: dict[int, int]) -> None:
        for number, position in positions.items():
            connection.execute(
                "update ops.positions set next_position = %s where source = %s and source_uid = %s and partition = %s",
                [position, *keys, number],
            )

    with connection.transaction():
        written = write_batch(connection, batch)
        booked = connection.execute(
            "delete from ops.ledger where load_xid = pg_current_xact_id() returning *"
        ).fetchall()
        move({number: span.first for number, span in batch.ranges.items()})
    # A kill here leaves rows that no book knows; the batch is read again.
    with connection.transaction():
        for row in booked:
            values = sql.SQL(", ").join(map(sql.Literal, row))
            connection.execute(sql.SQL("insert into ops.ledger values ({})").format(values))
        move({number: span.next for number, span in batch.ranges.items()})
    return written


writer.write_batch = rows_first
