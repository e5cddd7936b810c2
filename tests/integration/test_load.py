"""Files to a real Postgres: each line is booked once, whatever the file is called, packed, or interrupted by."""

import gzip
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingestion import files
from ingestion import load as loading
from ingestion.ledger import read_books
from mercato.errors import MercatoError, WrongUse
from mercato.postgres import Connection, connect
from mercato.services import endpoints, process
from mercato.settings import Settings
from tests import loads
from tests.events import event, raw

Mercato = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = str(Path(sys.executable).with_name("mercato"))
PACK = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


def write(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(
        PACK[path.suffix if path.suffix in PACK else ""](b"".join(line + b"\n" for line in lines))
    )
    return path


def load(settings: Settings, path: Path, **limits: int) -> loading.Place:
    return loading.load(
        endpoints.warehouse(settings),
        files.survey(path),
        path.name,
        settings.ingestion.model_copy(update=limits),
    )


@pytest.mark.parametrize("packing", PACK)
def test_each_line_is_loaded_quarantined_or_a_duplicate_and_its_number_is_its_position(
    packing: str, mercato: Mercato, warehouse: Connection, tmp_path: Path
) -> None:
    bad = raw({**event(), "properties": {"product_id": 7}})
    lines = [raw(event(1)), b"", bad, raw(event(2)), raw(event(1)), b"  ", b"{"]
    path = write(tmp_path / f"shop.ndjson{packing}", lines)
    done = mercato("load", str(path), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["received"], told["loaded"], told["duplicate"], told["quarantined"]) == (5, 2, 1, 2)
    assert warehouse.execute("select position from raw.events order by 1").fetchall() == [(1,), (4,)]
    assert warehouse.execute(
        "select source, position, reason, raw from raw.quarantine order by position"
    ).fetchall() == [
        (f"file:{path.name}", 3, "wrong_type", bad),
        (f"file:{path.name}", 7, "not_json", b"{"),
    ]
    verified = mercato("verify")
    assert verified.returncode == 0, verified.stderr


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_the_last_line_counts_however_the_file_ends(
    end: bytes, settings: Settings, warehouse: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "shop.ndjson"
    path.write_bytes(raw(event()) + b"\r\n" + raw(event()) + end)
    load(settings, path)
    found = read_books(warehouse)
    assert (found.loaded, found.quarantined, found.in_flight, found.differences) == (2, 0, 0, [])


def test_a_file_that_comes_again_under_another_name_or_packing_adds_nothing(
    mercato: Mercato, warehouse: Connection, tmp_path: Path
) -> None:
    lines = [raw(event()), b"not json"]
    for name in ("shop.ndjson", "copy.ndjson", "shop.ndjson.gz", "shop.ndjson.zst"):
        done = mercato("load", str(write(tmp_path / name, lines)))
        assert done.returncode == 0, done.stderr
    assert "loaded before, as file:shop.ndjson: nothing new" in done.stderr
    assert warehouse.execute("select source, received from ops.balance").fetchall() == [
        ("file:shop.ndjson", 2)
    ]
    assert warehouse.execute("select count(*) from raw.quarantine").fetchone() == (1,)


def test_an_event_that_came_by_the_stream_is_a_duplicate_in_a_file(
    settings: Settings, topic: str, warehouse: Connection, tmp_path: Path
) -> None:
    records = [raw(event()) for _ in range(10)]
    loads.send(settings, records)
    loads.load(settings)
    load(settings, write(tmp_path / "archive.ndjson", [*records, raw(event())]))
    found = loads.books(settings, warehouse)
    assert (found.sent, found.loaded, found.duplicate, found.residual) == (21, 11, 10, 0)
    assert found.differences == []


def test_a_load_that_is_killed_goes_on_at_its_line(
    mercato: Mercato, environment: dict[str, str], warehouse: Connection, tmp_path: Path
) -> None:
    lines = [raw(event()) for _ in range(20_000)]
    lines[1::1_000] = [b"not json"] * 20
    path = write(tmp_path / "shop.ndjson.zst", lines)
    for _ in range(3):
        before = read_books(warehouse).received
        small = environment | {"MERCATO_INGESTION__BATCH_ROWS": "20"}
        worker = subprocess.Popen([COMMAND, "load", str(path)], env=small, stderr=subprocess.DEVNULL)
        assert process.wait_until(lambda before=before: read_books(warehouse).received > before, seconds=60)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    middle = read_books(warehouse)
    assert 0 < middle.received < 20_000, "the kills came too late to prove anything"
    assert (middle.sent, middle.residual) == (20_000, 0)  # the rest of the file is in flight
    done = mercato("load", str(path))
    assert f"went on at line {middle.received + 1:,} of file:shop.ndjson.zst" in done.stderr
    found = read_books(warehouse)
    assert (found.sent, found.loaded, found.duplicate, found.quarantined) == (20_000, 19_980, 0, 20)
    assert (found.in_flight, found.residual, found.differences) == (0, 0, [])


def test_two_who_load_one_file_at_once_under_two_names_book_each_line_once(
    settings: Settings, warehouse: Connection, tmp_path: Path
) -> None:
    lines = [raw(event()) for _ in range(2_000)] + [b"not json"]
    paths = [write(tmp_path / name, lines) for name in ("a.ndjson", "b.ndjson.gz")]
    failed: list[BaseException] = []

    def work(path: Path) -> None:
        try:
            load(settings, path, batch_rows=50)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=[path]) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    found = read_books(warehouse)
    assert (found.sent, found.loaded, found.duplicate, found.quarantined) == (2_001, 2_000, 0, 1)
    assert (len(found.positions), found.differences) == (1, [])


def test_one_content_is_one_source_also_while_its_first_name_is_not_committed(
    settings: Settings, warehouse: Connection, tmp_path: Path
) -> None:
    file = files.survey(write(tmp_path / "a.ndjson", [raw(event())]))
    found: list[loading.Place] = []

    def come_second() -> None:
        with connect(endpoints.warehouse(settings), autocommit=True) as connection:
            found.append(loading.place(connection, file, "b.ndjson"))

    second = threading.Thread(target=come_second)
    with connect(endpoints.warehouse(settings)) as connection, connection.transaction():
        loading.place(connection, file, "a.ndjson")
        second.start()
        waits = "select 1 from pg_locks where locktype = 'advisory' and not granted"
        assert process.wait_until(lambda: warehouse.execute(waits).fetchone() is not None, seconds=30)
    second.join()
    assert found == [loading.Place("file:a.ndjson", 1)]


LINES = st.one_of(
    st.integers(0, 9).map(lambda number: raw(event(number))),
    st.sampled_from([b"", b" \r", b"{", b"[]", b"\xff", b"null", b"\0"]),
    st.binary(max_size=20).map(lambda some: some.translate(None, b"\n[")),
)


@given(lines=st.lists(LINES, max_size=40), rows=st.integers(1, 7), last=st.booleans())
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_the_lines_are_the_books_balance_and_a_second_load_adds_nothing(
    settings: Settings, warehouse: Connection, tmp_path: Path, lines: list[bytes], rows: int, last: bool
) -> None:
    path = tmp_path / "any.ndjson"
    path.write_bytes(b"\n".join(lines) + (b"\n" if last else b""))
    file = files.survey(path)
    load(settings, path, batch_rows=rows)
    once = read_books(warehouse)
    assert load(settings, path, batch_rows=rows).line == file.lines + 1
    assert read_books(warehouse).counts() == once.counts()
    assert (once.residual, once.in_flight, once.differences) == (0, 0, [])
    booked = warehouse.execute(
        "select coalesce(sum(received), 0) from ops.ledger where source_uid = %s", [file.uid]
    )
    assert booked.fetchone() == (sum(1 for line in lines if line.strip()),)


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_file_that_was_cut_off_is_refused_before_any_of_it_is_written(
    packing: str, mercato: Mercato, warehouse: Connection, tmp_path: Path
) -> None:
    path = write(tmp_path / f"shop.ndjson{packing}", [raw(event()) for _ in range(5_000)])
    path.write_bytes(path.read_bytes()[:-20])
    done = mercato("load", str(path))
    assert done.returncode == 2
    assert f"{path} ends too early, in line " in done.stderr
    assert "fetch it again" in done.stderr
    assert warehouse.execute("select count(*) from ops.positions").fetchone() == (0,)


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_file_of_several_packed_ones_is_read_to_its_end(
    packing: str, settings: Settings, warehouse: Connection, tmp_path: Path
) -> None:
    path = tmp_path / f"shop.ndjson{packing}"
    path.write_bytes(PACK[packing](raw(event()) + b"\n") + PACK[packing](raw(event()) + b"\n"))
    load(settings, path)
    assert read_books(warehouse).loaded == 2


def test_a_file_that_somebody_writes_to_meanwhile_is_refused_and_nothing_partial_is_booked(
    settings: Settings, warehouse: Connection, tmp_path: Path
) -> None:
    path = write(tmp_path / "shop.ndjson", [raw(event()) for _ in range(10)])
    old = files.survey(path)
    with path.open("ab") as file:
        file.write(raw(event()))
    with pytest.raises(MercatoError, match="was changed while it was being loaded"):
        loading.load(endpoints.warehouse(settings), old, "shop", settings.ingestion)
    assert read_books(warehouse).received == 0
    load(settings, path)
    assert read_books(warehouse).loaded == 11


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("array.ndjson", b'[{"a": 1}, {"b": 2}]\n', "is one JSON array"),
        ("printed.ndjson", b'[\n  {"a": 1}\n]\n', "jq -c '.[]' printed.ndjson"),
        ("plain.ndjson.gz", b"{}\n", "can't be unpacked, after line 0"),
        ("plain.ndjson.zst", b"{}\n", "can't be unpacked, after line 0"),
        ("empty.ndjson.gz", b"\x1f\x8b", "ends too early, in line 1"),
    ],
)
def test_a_file_that_holds_no_event_a_line_is_named_with_the_cure(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(WrongUse) as refused:
        files.survey(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_line_without_end_is_refused_and_takes_no_more_memory_than_the_longest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "LONGEST", 1 << 20)
    path = tmp_path / "image.ndjson"
    path.write_bytes(b"{}\n" + b"x" * (3 << 20))
    with pytest.raises(WrongUse, match="line 2 has more than"):
        files.survey(path)


def test_wrong_words_are_named(mercato: Mercato, tmp_path: Path) -> None:
    for words, said in (
        (["load"], "Missing argument 'FILE...'"),
        (["load", str(tmp_path / "none.ndjson")], "does not exist"),
        (["load", str(tmp_path)], "is a directory"),
    ):
        done = mercato(*words)
        assert done.returncode == 2
        assert said in done.stderr


def test_a_simulated_shop_s_file_has_the_fate_that_its_truth_says(
    mercato: Mercato, settings: Settings, warehouse: Connection, tmp_path: Path
) -> None:
    made = mercato(
        "generate", "--days", "5", "--faults", "0.05", "--to", "files", "--out", str(tmp_path), "--compress", "zst",
        "--truth", str(tmp_path / "truth.json"),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    done = mercato("load", str(tmp_path / "events.ndjson.zst"), "--as", "history")
    assert done.returncode == 0, done.stderr
    truth: dict[str, Any] = json.loads((tmp_path / "truth.json").read_bytes())
    found = read_books(warehouse)
    assert {name: truth[name] for name in ("sent", "loaded", "duplicate", "quarantined")} == {
        name: found.counts()[name] for name in ("sent", "loaded", "duplicate", "quarantined")
    }
    assert found.by_reason == truth["quarantined_by_reason"]
    assert {source for source, _, _ in found.positions} == {"file:history"}
    assert found.differences == []
