"""The shards of the shop split over processes, and their days merged into the one stream again.

Each process simulates its shards day by day and hands over a day when it is asked for: the pipe holds it
back, so at most one day waits in each. The parent merges the days by delivery, then message id: records that
tie come from one visit and so from one shard, in their own order. So the stream is the same for any number.

The processes are started afresh and not forked: the parent may hold the threads of a Kafka client. They are
in sessions of their own, so that the Ctrl-C of a terminal reaches the parent alone, which then ends them; a
parent that is killed takes them along, as they can't write any more.
"""

import os
import pickle
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from operator import itemgetter
from typing import IO, Any

from data_generator.config import Config
from data_generator.facts import Record
from mercato.errors import MercatoError

#: Never changes: it is part of what a seed means.
SHARDS = 8
#: What the stream is ordered by.
MOMENT = itemgetter(0, 1)

_LENGTH = struct.Struct("<q")
#: Longest wait before a stop is looked for again, in seconds.
_SLICE = 0.1


def records(config: Config, workers: int, stop: Callable[[], bool]) -> Generator[Record, None, None]:
    """All records in the order of their delivery, simulated by so many processes, 1 to SHARDS.

    Ends early when `stop` says so. Close the iterator, or use it up: then the processes are gone.

    Raises:
        MercatoError: a process failed or was killed.
    """
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(workers):
            processes.append(_start(config, range(number, SHARDS, workers)))
        for _ in range(config.days):
            today: list[Record] = []
            for process in processes:
                if not _ready(process, stop):
                    return
                today += _receive(process)
            if workers > 1:
                today.sort(key=MOMENT)
            yield from today
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.communicate()


def pack(records: list[Record]) -> bytes:
    """Records as bytes, by column: half the time and no class name for each."""
    return pickle.dumps(tuple(zip(*records, strict=True)), pickle.HIGHEST_PROTOCOL)


def unpack(packed: bytes) -> Iterator[Record]:
    """The records of `pack`."""
    return map(Record._make, zip(*pickle.loads(packed), strict=True))  # noqa: S301 -- from our own process


def write_frame(pipe: IO[bytes], content: bytes) -> None:
    """Write one message, its length before it; waits until the parent takes it."""
    pipe.write(_LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def _start(config: Config, numbers: range) -> subprocess.Popen[bytes]:
    # -P: modules are ours and the installed ones, never files that lie in the folder of the user.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "data_generator.shard_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        bufsize=0,
    )
    try:
        with _pipe(process.stdin) as pipe:
            pipe.write(pickle.dumps((config, numbers)))
    except BrokenPipeError:
        pass  # it is gone already; the first read says why
    process.stdin = None
    return process


def _ready(process: subprocess.Popen[bytes], stop: Callable[[], bool]) -> bool:
    """Wait for the next day of a process; False if `stop` said so meanwhile."""
    while not select.select([_pipe(process.stdout)], [], [], _SLICE)[0]:
        if stop():
            return False
    return True


def _receive(process: subprocess.Popen[bytes]) -> Iterator[Record]:
    (length,) = _LENGTH.unpack(_read(process, _LENGTH.size))
    return unpack(_read(process, length))


def _read(process: subprocess.Popen[bytes], size: int) -> bytes:
    content = bytearray(size)
    view, done = memoryview(content), 0
    descriptor = _pipe(process.stdout).fileno()
    while done < size:
        got = os.readv(descriptor, [view[done:]])
        if not got:
            raise _failed(process)
        done += got
    view.release()
    return bytes(content)


def _failed(process: subprocess.Popen[bytes]) -> MercatoError:
    _, words = process.communicate()
    code = process.returncode
    if code < 0:
        return MercatoError(
            f"a worker of the simulation was killed ({signal.Signals(-code).name})",
            "run it again; with fewer --workers or --sessions-per-day if memory is short",
        )
    last = words.decode(errors="replace").strip().rpartition("\n")[2]
    return MercatoError(
        f"a worker of the simulation failed: {last or f'exit {code}'}", "report it: it's a bug"
    )


def _pipe(pipe: Any) -> Any:
    """One end of a pipe, which is there because it was asked for."""
    return pipe
