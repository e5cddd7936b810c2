"""Where the chaos plays: a Postgres, a broker and a trading shop of its own, below the checkout's state folder.

Guarantee: no other warehouse or topic is touched; nothing runs after `close`, nor, if a run itself was killed,
after the next one has begun. Without outside address the broker is the wheel's, which keeps records in memory only:
to kill it would lose them by nature, so it is stopped and woken (SIGSTOP, SIGCONT).
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psutil

from ingestion.migrations import migrate
from ingestion.sql import query
from mercato.chaos.worker import Job
from mercato.errors import MercatoError
from mercato.kafka_admin import Admin
from mercato.postgres import Gone, connect
from mercato.services import broker, endpoints, postgres, process
from mercato.settings import PREFIX, Ingestion, Local, Settings, Warehouse

PARTITIONS = 4
#: Small batches, so that there are many boundaries to be killed at.
BATCHES = Ingestion(batch_rows=200, batch_seconds=0.1, fetch_wait_ms=50)
#: And so often come records.
LINGER_MS = 20
#: Four years of trade, far more than any run sends; a share of it sent again, late or broken.
FAULTS = (
    "duplicate=0.05,late=0.02,out_of_order=0.02,broken_json=0.01,wrong_encoding=0.005,wrong_type=0.01,"
    "missing_property=0.01,impossible_value=0.005,unknown_event=0.005,future_clock=0.005"
)
SHOP = ["--days", "1460", "--sessions-per-day", "600", "--faults", FAULTS]


class Stage:
    """Use as a context manager. `calm` is held by whoever needs, or takes away, Postgres or the broker."""

    def __init__(self, settings: Settings, seed: int, rate: float) -> None:
        self.home = settings.home / "chaos"
        outside = settings.kafka.bootstrap_servers
        self.own_broker = outside is None
        topic = f"chaos-{uuid.uuid4().hex[:12]}"
        self.settings = Settings(
            home=self.home,
            warehouse=Warehouse(),
            kafka=settings.kafka.model_copy(
                update={"topic": topic, "partitions": PARTITIONS, "group": topic, "linger_ms": LINGER_MS}
            ),
            ingestion=BATCHES,
            local=Local(),
        )
        self.calm = threading.RLock()
        self.truth, self.seen, self.log = (
            self.home / name for name in ("truth.json", "seen.ndjson", "workers.log")
        )
        self._shop_words = ["--seed", str(seed), "--rate", str(rate), *SHOP, "--truth", str(self.truth)]
        self._shop = self.home / "shop.pid"
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "Stage":
        with contextlib.ExitStack() as stack:
            self._clear()
            stack.enter_context(process.exclusive(self.home))
            stack.callback(self._stop_services)
            postgres.start(self.settings)
            if self.own_broker:
                broker.start(self.settings)
            else:
                stack.callback(self._delete_topic)
            self.endpoint, self.servers = endpoints.warehouse(self.settings), endpoints.kafka(self.settings)
            with connect(self.endpoint, autocommit=True) as connection:
                migrate(connection)
            with Admin(self.servers) as admin:
                self.topic = admin.ensure_topic(self.settings.kafka.topic, PARTITIONS)
            stack.callback(self._end_shop)
            self._start_shop()
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def job(self, **more: Any) -> Job:
        """A worker's job on this stage."""
        return Job(self.settings, self.endpoint, self.servers, self.seen, self.log, **more)

    def close_shop(self) -> None:
        """End the trade; every record it sent is acknowledged and in the truth file then.

        Raises:
            MercatoError: the shop ended with an error before.
        """
        self._end_shop()
        if not self.truth.exists():
            said = (self.home / "shop.log").read_text("utf-8", "replace").strip().splitlines()
            raise MercatoError(f"the shop broke off: {' / '.join(said[-2:])}", f"read {self.home}/shop.log")

    def kill_server(self, away: float) -> None:
        """SIGKILL every process of Postgres, and start it again after so many seconds."""
        with self.calm:
            data = postgres.folder(self.settings) / "data"
            found = process.alive(process.read_number(data / "postmaster.pid"), str(data))
            for one in [found, *found.children(recursive=True)] if found else []:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            time.sleep(away)
            postgres.start(self.settings)

    def end_session(self, number: int) -> None:
        """Terminate the session of one of the workers, if any has one."""
        with self.calm, contextlib.suppress(*Gone), connect(self.endpoint, autocommit=True) as connection:
            connection.execute(query("terminate_session"), {"number": number})

    def pause_broker(self, away: float) -> None:
        """Stop the broker's process for so many seconds."""
        with self.calm, self._woken() as pid:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(away)

    def delete(self) -> None:
        """Delete the files, after `close`: there is nothing to look into."""
        shutil.rmtree(self.home, ignore_errors=True)

    @contextlib.contextmanager
    def _woken(self) -> Iterator[int]:
        pid = process.read_number(broker.folder(self.settings) / "pid") or 0
        try:
            yield pid
        finally:
            os.kill(pid, signal.SIGCONT)

    def _start_shop(self) -> None:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        theirs = {
            "HOME": str(self.home),
            "KAFKA__BOOTSTRAP_SERVERS": self.servers,
            "KAFKA__TOPIC": self.settings.kafka.topic,
            "KAFKA__PARTITIONS": str(PARTITIONS),
            "KAFKA__LINGER_MS": str(LINGER_MS),
        }
        process.spawn(
            [sys.executable, "-m", "mercato.cli", "generate", *self._shop_words],
            log=self.home / "shop.log",
            pid_file=self._shop,
            env=ours | {f"{PREFIX}{name}": value for name, value in theirs.items()},
        )

    def _end_shop(self) -> None:
        if found := process.alive(process.read_number(self._shop), str(self.truth)):
            process.stop(found, patience=60)

    def _clear(self) -> None:
        """Stop what a killed run left running, and delete its files."""
        with process.exclusive(self.home):
            if broker.running(self.settings):
                with self._woken():  # it may have been left stopped
                    self._end_shop()
            self._stop_services()
        self.delete()

    def _stop_services(self) -> None:
        broker.stop(self.settings)
        postgres.stop(self.settings)

    def _delete_topic(self) -> None:
        with contextlib.suppress(MercatoError), Admin(self.servers) as admin:
            admin.delete_topic(self.settings.kafka.topic)
