"""One worker process of the chaos: the real Consumer, over connections that strike at a chosen boundary.

Guarantee: it ends with the process that started it. What it saw is appended to a file, a JSON object a line.
"""

import contextlib
import json
import os
import runpy
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import Any
from unittest import mock

from ingestion.consume import Consumer
from ingestion.warehouse import Written
from mercato.chaos.failpoint import Failpoint, Striking
from mercato.errors import Fenced, ServiceUnavailable
from mercato.postgres import Endpoint
from mercato.settings import Settings

#: How the words of a worker that was fenced begin.
_FENCED = str(Fenced("\0")).partition("\0")[0]


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker does. `grouped`: as a member of the group, else all partitions at once, again and again.

    `once`: end when all that was there is loaded. `sabotage`: a Python file that breaks the product first.
    """

    settings: Settings
    endpoint: Endpoint
    servers: str
    seen: Path
    log: Path
    grouped: bool = False
    once: bool = False
    point: Failpoint | None = None
    sabotage: Path | None = None


def work(job: Job) -> None:
    """Load until killed, or until all is loaded. An error that isn't waited for ends it: that is a finding."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the conductor's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log = os.open(job.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    seen = os.open(job.seen, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def tell(what: str, words: str = "") -> None:
        line = {"pid": os.getpid(), "at": round(time.time(), 3), "what": what, "words": words}
        os.write(seen, json.dumps(line).encode() + b"\n")

    def on_trouble(words: str) -> None:
        tell("fenced" if words.startswith(_FENCED) else "waited", words)

    def on_batch(written: Written) -> None:
        tell("batch", str(written))

    if job.sabotage:
        runpy.run_path(str(job.sabotage))
    Striking.armed = job.point
    Striking.tell = staticmethod(lambda words: tell("struck", words))
    # The driver's own name, because every connection of the product is opened by it.
    with mock.patch("psycopg.connect", Striking.connect):
        while True:
            try:
                Consumer(
                    job.settings, job.endpoint, job.servers, until_empty=not job.grouped,
                    on_batch=on_batch, on_trouble=on_trouble,
                ).run()  # fmt: skip
            except ServiceUnavailable as error:  # away from the first: a supervisor would start us again
                tell("waited", error.what)
                time.sleep(0.2)
                continue
            if job.once:
                return


def read_seen(path: Path) -> Iterator[tuple[str, str]]:
    """What all workers told: kind (struck, fenced, waited, batch) and words."""
    for found in _lines(path):
        yield found["what"], found["words"]


def has_told(path: Path, pid: int, since: float) -> bool:
    """Whether this worker told, after this moment (seconds since 1970), what became of its batch."""
    return any(
        line["pid"] == pid and line["at"] > since and line["what"] in ("batch", "fenced")
        for line in _lines(path)
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):  # a kill in the middle of a line
            yield json.loads(line)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)
