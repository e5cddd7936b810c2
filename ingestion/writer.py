"""Writes batches in threads of their own, over two connections in turns: while the rows of one are stored, the ids of
the next are claimed by another process of the server, and the one after is decoded.

Guarantee: batches are committed in the order they were handed in, each only if the one ahead was; at most two are
being written and an error reaches the caller before the next is, so memory is bounded and a batch is never written
after one that failed. The connections belong to the threads until `settle` returns.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from ingestion.batch import Batch
from ingestion.warehouse import Ahead, Written, write_batch
from mercato.postgres import Connection


class Writer:
    """`check` is called after a batch was read and before it is written, and raises where it must not be.

    `on_written` hears of each committed batch, in the caller's thread. Use as a context manager.
    """

    def __init__(
        self,
        connections: tuple[Connection, ...],
        check: Callable[[], None],
        on_written: Callable[[Written], None],
    ) -> None:
        self._free = deque(connections)
        self._check = check
        self._on_written = on_written
        self._checker = ThreadPoolExecutor(1, thread_name_prefix="checker")
        self._threads = ThreadPoolExecutor(len(connections), thread_name_prefix="writer")
        self._pending: deque[tuple[Ahead, Connection]] = deque()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True)
        self._checker.shutdown(wait=True)

    def submit(self, batch: Batch) -> None:
        """Write this batch behind those being written, if the check still holds after it was read.

        Raises:
            what `write_batch` raised for an earlier one, or the check for this one.
        """
        checked = self._checker.submit(self._check)  # asks the broker while others are written
        ids = frozenset(batch.ids)  # before the server refuses some
        if not self._free:
            self._settle_oldest()
        checked.result()
        ahead = self._pending[-1][0] if self._pending else None
        connection = self._free.popleft()
        written: Future[Written] = self._threads.submit(write_batch, connection, batch, ahead)
        self._pending.append((Ahead(batch, ids, written), connection))

    def settle(self) -> None:
        """Wait until nothing is being written; raises what `write_batch` raised."""
        while self._pending:
            self._settle_oldest()

    def _settle_oldest(self) -> None:
        ahead, connection = self._pending.popleft()
        written = ahead.written.result()
        self._free.append(connection)
        self._on_written(written)
