"""Runs a plan of kills against real workers while the shop trades, then lets one worker finish and judges.

Guarantee: all it starts is ended when it returns or raises. The books are drawn between the kills, too: the
first difference ends the run.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import msgspec
import psutil

from ingestion.ledger import Balance, add_in_flight, read_books
from ingestion.sql import query
from ingestion.stream import end_offsets
from mercato.chaos.echo import Echo
from mercato.chaos.failpoint import Failpoint
from mercato.chaos.plan import Kill
from mercato.chaos.stage import Stage
from mercato.chaos.verdict import Sent, Verdict, judge
from mercato.chaos.worker import has_told, read_seen, work
from mercato.errors import ServiceUnavailable
from mercato.kafka_admin import Admin
from mercato.postgres import connect

#: Kills under way at once, each with a worker of its own that reads all partitions.
HANDS = 4
#: Members of the consumer group, beside them.
MEMBERS = 2
#: Seconds: a worker that doesn't come to its boundary in this time is killed where it is.
PATIENCE = 20.0
#: Seconds that a woken zombie has to try to write.
AWAKE = 5.0
#: Seconds without a new record that the last worker may take: then it hangs.
LONGEST_STILL = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Kills done, by kind; how many missed their boundary; how often workers were fenced, or waited."""

    verdict: Verdict
    kills: Counter[str]
    missed: int
    fenced: int
    waited: int


class Conductor:
    """`on_kill` hears of each kill that is done. `sabotage`: a Python file that breaks each worker."""

    def __init__(self, stage: Stage, on_kill: Callable[[Kill], None], sabotage: Path | None = None) -> None:
        self._stage = stage
        self._on_kill = on_kill
        self._sabotage = sabotage
        self._kills: Counter[str] = Counter()
        self._missed = 0
        self._findings: list[str] = []
        self._over = threading.Event()
        self._living: set[ForkServerProcess] = set()
        self._members: list[ForkServerProcess] = []
        self._lock = threading.Lock()
        # Workers are forked from a server that has imported all: one starts in 20 ms instead of a second.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["mercato.chaos.worker"])

    def run(self, plan: list[Kill]) -> Outcome:
        """Do all kills, or stop at the first difference in the books; finish; judge."""
        echo = Echo(self._stage.settings, self._stage.servers)
        try:
            self._members = [self._start(grouped=True) for _ in range(MEMBERS)]
            self._perform(plan)
            for member in self._members:
                self._end(member)
            self._stage.close_shop()
            echo.finish()
            self._drain()
            verdict = self._judge(echo.sent)
        finally:
            echo.close()
            self._over.set()
            for one in list(self._living):
                one.kill()
                one.join()
        told = Counter(what for what, _ in read_seen(self._stage.seen))
        return Outcome(verdict, self._kills, self._missed, told["fenced"], told["waited"])

    def _perform(self, plan: list[Kill]) -> None:
        left, apart = iter(plan), max(10, len(plan) // 20)  # kills between two draws of the books
        with ThreadPoolExecutor(HANDS) as hands:
            under_way: set[Future[Kill]] = set()
            try:
                done, check_at = 0, apart
                while True:
                    while len(under_way) < HANDS and not self._findings and (kill := next(left, None)):
                        under_way.add(hands.submit(self._strike, kill))
                    if not under_way:
                        return
                    finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    for one in finished:
                        kill = one.result()
                        self._kills[kill.kind] += 1
                        self._on_kill(kill)
                    done += len(finished)
                    if done >= check_at:
                        check_at = done + apart
                        self._findings += self._books().differences
            finally:
                self._over.set()  # on an error or Ctrl-C, hands let go at once

    def _strike(self, kill: Kill) -> Kill:
        match kill.kind:
            case "session":
                self._stage.end_session(int(kill.seconds * 1_000))
            case "server":
                self._stage.kill_server(kill.seconds)
            case "broker":
                self._stage.pause_broker(kill.seconds)
            case "member" | "sleeper":
                self._strike_member(kill)
            case _:
                self._strike_worker(kill)
        return kill

    def _strike_worker(self, kill: Kill) -> None:
        stop = kill.kind == "zombie"
        point = Failpoint(kill.kind, kill.transaction, kill.step, kill.edge)
        if stop:  # a batch in hand and nothing locked, or in mid transaction: then the others wait for it
            step = 1 if kill.edge == "before" else kill.step
            point = Failpoint("statement", kill.transaction + 1, step, kill.edge, signal.SIGSTOP)
        worker = self._start(point=None if kill.kind == "moment" else point)
        if kill.kind == "moment":
            self._over.wait(kill.seconds)
        elif not self._until(lambda: self._ended(worker) or (stop and _stopped(worker))):
            self._missed += 1
        if stop and not self._ended(worker):
            self._over.wait(kill.seconds)
            self._signal(worker, signal.SIGCONT)
            woken, pid = time.time(), worker.pid or 0
            # To write, if it could: it says so, or that it was fenced.
            self._until(lambda: self._ended(worker) or has_told(self._stage.seen, pid, woken), AWAKE)
        self._end(worker)

    def _strike_member(self, kill: Kill) -> None:
        member = self._take_member()
        if member is None:
            return
        if kill.kind == "sleeper":
            self._signal(member, signal.SIGSTOP)
            self._over.wait(kill.seconds)
            self._signal(member, signal.SIGCONT)
        if kill.kind == "member" or self._ended(member):
            self._end(member)
            member = self._start(grouped=True)
        with self._lock:
            self._members.append(member)

    def _take_member(self) -> ForkServerProcess | None:
        """A member that is nobody else's meanwhile; None when all is over."""
        while not self._over.is_set():
            with self._lock:
                if self._members:
                    return self._members.pop(0)
            time.sleep(0.05)
        return None

    def _start(
        self, *, grouped: bool = False, once: bool = False, point: Failpoint | None = None
    ) -> ForkServerProcess:
        job = self._stage.job(grouped=grouped, once=once, point=point, sabotage=self._sabotage)
        with self._lock:
            worker = self._context.Process(target=work, args=(job,))
            worker.start()
            self._living.add(worker)
        return worker

    def _end(self, worker: ForkServerProcess) -> None:
        """SIGKILL it, if it lives; one that ended by itself, of no kill of ours, is a finding."""
        with self._lock:
            worker.kill()
            worker.join()
            if worker not in self._living:
                return
            self._living.remove(worker)
            if worker.exitcode not in (-signal.SIGKILL, 0):
                self._findings.append(
                    f"a worker ended by itself with code {worker.exitcode}, see {self._stage.log}"
                )

    def _ended(self, worker: ForkServerProcess) -> bool:
        """Asked under the lock: a start in another thread asks every process, too, and the answer comes once."""
        with self._lock:
            return worker.exitcode is not None

    def _signal(self, worker: ForkServerProcess, number: signal.Signals) -> None:
        """To a worker that may have ended: its pid is not reused before it was asked."""
        with self._lock:
            if worker.exitcode is None and worker.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, number)

    def _until(self, done: Callable[[], bool], patience: float = PATIENCE) -> bool:
        deadline = time.monotonic() + patience
        while not done():
            if self._over.wait(0.02) or time.monotonic() > deadline:
                return False
        return True

    def _drain(self) -> None:
        """Let a worker that nobody strikes load the rest."""
        worker, before, since = self._start(once=True), -1, time.monotonic()
        while not self._ended(worker):
            received = self._books().received
            if received > before:
                before, since = received, time.monotonic()
            if time.monotonic() - since > LONGEST_STILL:
                self._findings.append(f"the last worker hangs: no new record in {LONGEST_STILL:.0f} s")
                break
            time.sleep(0.5)
        self._end(worker)

    def _books(self) -> Balance:
        stage = self._stage
        with stage.calm, connect(stage.endpoint, autocommit=True) as connection:
            found = read_books(connection)
            # A topic that grows all the time may not tell its end in time: then the next draw compares with it.
            with contextlib.suppress(ServiceUnavailable), Admin(stage.servers) as admin:
                starts = admin.start_offsets(stage.topic)
                add_in_flight(found, stage.topic, starts, end_offsets(stage.servers, admin, stage.topic))
        return found

    def _judge(self, sent: Sent) -> Verdict:
        books = self._books()
        with connect(self._stage.endpoint, autocommit=True) as connection:
            stored: dict[str, int] = dict(connection.execute(query("stored_ids")).fetchall())
        truth = msgspec.json.decode(self._stage.truth.read_bytes())
        verdict = judge(truth, sent, stored, books)
        verdict.differences = list(dict.fromkeys([*self._findings, *verdict.differences]))
        return verdict


def _stopped(worker: ForkServerProcess) -> bool:
    try:
        return bool(psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False
