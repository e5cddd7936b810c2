"""The number of processes changes nothing but the time; one that dies is an error that leaves nothing."""

import gzip
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import zstandard

from data_generator import publish, simulate, workers
from data_generator.config import Config
from data_generator.facts import Record
from mercato.errors import MercatoError

HISTORY = Config(7, datetime(2026, 3, 29, tzinfo=UTC), 3, 120, 0.1)


class Kept:
    """A sink that keeps what it gets, and how it ended."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.ended = ""

    def send(self, records: list[Record]) -> None:
        self.records += records

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


def children() -> list[psutil.Process]:
    """Our workers, alive or not yet buried."""
    ours = psutil.Process().children(recursive=True)
    return [one for one in ours if "data_generator.shard_process" in " ".join(one.cmdline())]


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def alone() -> tuple[list[Record], dict[str, Any]]:
    """What one process makes: the records and the truth."""
    kept = Kept()
    truth = simulate.run(HISTORY, kept)
    return kept.records, truth.document()


@pytest.mark.parametrize("number", [1, 2, 3, 8])
def test_any_number_of_workers_makes_the_same_records_and_the_same_truth(
    alone: tuple[list[Record], dict[str, Any]], number: int
) -> None:
    # From one worker on, as the paced modes have it.
    stream = workers.records(HISTORY, number, never)
    assert [record for record in stream if record.line is not None] == alone[0]
    kept = Kept()
    assert simulate.run(HISTORY, kept, workers=number).document() == alone[1]
    assert kept.records == alone[0]
    assert not children()


def test_records_survive_the_way_through_a_pipe(alone: tuple[list[Record], dict[str, Any]]) -> None:
    assert list(workers.unpack(workers.pack(alone[0]))) == alone[0]
    assert list(workers.unpack(workers.pack([]))) == []


@pytest.mark.parametrize("compress", [None, "gz", "zst"])
def test_a_file_has_the_same_bytes_whatever_the_workers_and_the_batches(
    tmp_path: Path, alone: tuple[list[Record], dict[str, Any]], compress: str | None
) -> None:
    for number in (1, 2, 3):
        simulate.run(HISTORY, publish.FileSink(tmp_path / str(number), compress), workers=number)
    by_one = publish.FileSink(tmp_path / "by one", compress)
    for record in alone[0]:
        by_one.send([record])
    by_one.close()
    assert len({sink.read_bytes() for sink in tmp_path.glob(f"*/{by_one.path.name}")}) == 1
    assert len(list(tmp_path.glob("*/*"))) == 4
    content = by_one.path.read_bytes()
    if compress == "gz":
        content = gzip.decompress(content)
    elif compress == "zst":
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    assert content == b"".join(record.line + b"\n" for record in alone[0])


def test_a_killed_worker_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    def kill(sent: int, share: float) -> None:
        for child in children()[:1]:
            os.kill(child.pid, signal.SIGKILL)

    long = Config(7, HISTORY.end, 400, 120)
    with pytest.raises(MercatoError, match="worker of the simulation was killed \\(SIGKILL\\)"):
        simulate.run(long, publish.FileSink(tmp_path), kill, workers=2)
    assert not list(tmp_path.iterdir())
    assert not children()


def test_a_worker_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **options: Any) -> subprocess.Popen[bytes]:
        return begin(["sh", "-c", "cat > /dev/null; echo out of luck >&2; exit 3"], **options)

    begin = subprocess.Popen
    monkeypatch.setattr(workers.subprocess, "Popen", broken)
    kept = Kept()
    with pytest.raises(MercatoError, match="out of luck"):
        simulate.run(HISTORY, kept, workers=2)
    assert kept.ended == "aborted"


def test_a_stop_ends_the_workers_at_once_and_closes_the_sink() -> None:
    kept = Kept()
    truth = simulate.run(HISTORY, kept, stop=lambda: bool(kept.records), workers=2)
    assert 900 < truth.sent == len(kept.records) <= 1_000  # one chunk, less its promises
    assert kept.ended == "closed"
    assert not children()


def test_workers_do_not_hear_the_ctrl_c_of_the_terminal() -> None:
    stream = workers.records(HISTORY, 2, never)
    next(stream)
    assert len(children()) == 2
    assert all(os.getpgid(child.pid) != os.getpgid(0) for child in children())
    stream.close()
    assert not children()


@pytest.mark.parametrize("how", [{}, {"rate": 1e9}, {"speed": 1e12}])
def test_a_promise_reaches_the_truth_and_never_the_sink(
    alone: tuple[list[Record], dict[str, Any]], monkeypatch: pytest.MonkeyPatch, how: dict[str, float]
) -> None:
    seen: list[Record] = []

    class Truth:
        sent = 0

        def __init__(self, config: Config, folder: Path | None = None) -> None:
            pass

        def add(self, records: list[Record]) -> None:
            seen.extend(records)

    def promising(*_: Any) -> Iterator[Record]:
        for record in alone[0]:
            yield record._replace(line=None)
            yield record

    monkeypatch.setattr(simulate, "Truth", Truth)
    monkeypatch.setattr(simulate, "records", promising)
    monkeypatch.setattr(simulate, "from_workers", promising)
    kept = Kept()
    simulate.run(HISTORY, kept, **how)
    assert kept.records == alone[0]
    assert len(seen) == 2 * len(alone[0])
