"""Writes batches in a thread of its own, one after the other: the next is decoded while the server works.

Guarantee: at most one batch is being written and its error reaches the caller before the next is, so memory
is bounded and a batch is never written after one that failed. The connection belongs to the thread until
`settle` returns.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from ingestion.batch import Batch
from ingestion.warehouse import Written, write_batch
from mercato.postgres import Connection


class Writer:
    """`check` is called after a batch was read and before it is written, and raises where it must not be.

    `on_written` hears of each committed batch, in the caller's thread. Use as a context manager.
    """

    def __init__(
        self, connection: Connection, check: Callable[[], None], on_written: Callable[[Written], None]
    ) -> None:
        self._connection = connection
        self._check = check
        self._on_written = on_written
        self._checker = ThreadPoolExecutor(1, thread_name_prefix="checker")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._pending: Future[Written] | None = None

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True)
        self._checker.shutdown(wait=True)

    def submit(self, batch: Batch) -> None:
        """Write this batch once the one before is committed, and if the check still holds after it was read.

        Raises:
            what `write_batch` raised for the one before, or the check for this one.
        """
        checked = self._checker.submit(self._check)  # asks the broker while the one before is written
        self.settle()
        checked.result()
        self._pending = self._thread.submit(write_batch, self._connection, batch)

    def settle(self) -> None:
        """Wait until nothing is being written; raises what `write_batch` raised."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._on_written(pending.result())
