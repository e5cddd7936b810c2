"""`mercato generate` as people use it: a wrong wish costs one clear line, a stop leaves whole files."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from click.testing import CliRunner, Result

from mercato.cli import cli
from mercato.errors import MercatoError


def generate(*arguments: Any) -> Result:
    return CliRunner().invoke(cli, ["generate", *map(str, arguments)])


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--days", "0"], "--days is 0"),
        (["--faults", "2"], "--faults is 2.0"),
        (["--rate", "0"], "--rate is 0.0"),
        (["--rate", "nan"], "--rate is nan"),
        (["--sessions-per-day", "0"], "--sessions-per-day is 0"),
        (["--faults", "often"], "--faults is 'often'"),
        (["--faults", "lat=0.1"], "there is no lat"),
        (["--faults", "late=0.4,duplicate=0.4"], "--faults is {'late': 0.4, 'duplicate': 0.4}"),
        (["--out", "somewhere"], "--out"),
        (["--to", "files", "--out", "/proc/no"], "/proc/no can't be written"),
        (["--truth", "/no/such/truth.json"], "no folder /no/such"),
        (["--truth", "/"], "/ is a folder"),
        (["--end", "2999-01-01"], "in the future"),
        (["--start", "2999-01-01"], "starts on 2999-01-01 and ends on"),
        (["--start", "2026-01-01", "--days", "9999999"], "--days is 9999999"),
        (["--start", "2026-01-01", "--end", "2026-01-03", "--days", "5"], "contradict"),
        (["--to", "stdout", "--json"], "both write to stdout"),
        (["--to", "stdout", "--compress", "gz"], "--compress gz is for --to files"),
        (["--truth-details"], "stands beside the truth"),
        (["--workers", "0"], "--workers is 0"),
        (["--workers", "9"], "--workers is 9"),
        (["--rate", "inf"], "--rate is inf"),
        (["--speed", "0"], "--speed is 0.0"),
        (["--speed", "nan"], "--speed is nan"),
        (["--speed", "60", "--rate", "5"], "--speed sets the pace"),
        (["--live", "--speed", "60"], "--speed sets the pace"),
        (["--live", "--days", "3"], "trades from now on"),
        (["--live", "--workers", "2"], "trades from now on"),
        (["--minutes", "3"], "length of --live"),
        (["--live", "--minutes", "-1"], "--minutes is -1.0"),
        (["--scenario", "/no/such/story.toml"], "/no/such/story.toml can't be read"),
    ],
)
def test_a_wrong_wish_is_refused_in_one_line_with_a_cure(arguments: list[str], words: str) -> None:
    result = generate(*arguments)
    assert isinstance(result.exception, MercatoError)
    assert result.exception.exit_code == 2
    assert words in result.exception.what
    assert result.exception.cure
    assert "\n" not in result.exception.what


def test_an_unknown_sink_is_wrong_use() -> None:
    result = generate("--to", "pigeon")
    assert result.exit_code == 2
    assert "'kafka', 'files', 'stdout'" in result.stderr


def test_stdout_and_files_hold_the_same_bytes_and_words_stay_on_stderr(tmp_path: Path) -> None:
    common = ("--start", "2026-01-01", "--end", "2026-01-03", "--seed", "7", "--sessions-per-day", "40")
    piped = generate(*common, "--to", "stdout")
    filed = generate(
        *common, "--to", "files", "--out", tmp_path, "--truth", tmp_path / "truth.json", "--json"
    )
    assert piped.exit_code == filed.exit_code == 0
    assert piped.stdout_bytes == (tmp_path / "events.ndjson").read_bytes()
    assert json.loads(filed.stdout)["sent"] == len(lines(tmp_path / "events.ndjson"))
    assert "by_day" in json.loads((tmp_path / "truth.json").read_text())


def test_the_command_it_prints_makes_the_same_history_again(tmp_path: Path) -> None:
    first = generate("--days", "1", "--sessions-per-day", "30", "--to", "files", "--out", tmp_path / "a b")
    before = (tmp_path / "a b" / "events.ndjson").read_bytes()
    (tmp_path / "a b" / "events.ndjson").unlink()
    again = first.stderr.partition("again: mercato ")[2].strip()
    subprocess.run(f"{sys.executable} -m mercato.cli {again}", shell=True, check=True, capture_output=True)
    assert (tmp_path / "a b" / "events.ndjson").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "how", "compress"),
    [
        (signal.SIGINT, "--days 3 --rate 400", None),
        (signal.SIGTERM, "--days 3 --rate 400", None),
        (signal.SIGINT, "--days 30 --rate 9000", "gz"),
        (signal.SIGINT, "--days 4000 --workers 2", None),
        (signal.SIGTERM, "--days 4000 --workers 2", "zst"),
        (signal.SIGINT, "--days 1 --speed 6000", None),
        (signal.SIGINT, "--live --rate 400 --minutes 9", None),
    ],
)
def test_a_signal_leaves_a_whole_file_and_a_truth_that_matches_it(
    tmp_path: Path, name: signal.Signals, how: str, compress: str | None
) -> None:
    command = [sys.executable, "-m", "mercato.cli", "generate", *how.split(), "--to", "files"]
    command += ["--compress", compress] if compress else []
    process = subprocess.Popen(
        [*command, "--out", tmp_path, "--truth", tmp_path / "truth.json"],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    path = tmp_path / ("events.ndjson" + (f".{compress}" if compress else ""))
    part = path.with_name(f"{path.name}.part")
    while not part.exists() or part.stat().st_size < 20_000:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, name)  # all of them, as the Ctrl-C of a terminal does
    _, words = process.communicate(timeout=10)
    assert process.returncode == 1
    assert b"stopped early" in words
    assert b"Traceback" not in words
    assert {one.name for one in tmp_path.iterdir()} == {path.name, "truth.json"}
    content = whole(path)
    assert content.endswith(b"\n")
    assert json.loads((tmp_path / "truth.json").read_text())["sent"] == content.count(b"\n")


def whole(path: Path) -> bytes:
    """Content of a file, after decompression, which fails if its end is missing."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        with path.open("rb") as file:
            return zstandard.ZstdDecompressor().stream_reader(file).read()
    return path.read_bytes()


def test_a_live_shop_ends_by_itself_or_by_ctrl_c_and_both_are_no_failure(tmp_path: Path) -> None:
    common = ("--live", "--rate", "500", "--to", "files", "--out", tmp_path, "--truth", tmp_path / "t.json")
    ended = generate(*common, "--minutes", "0.02")
    assert ended.exit_code == 0
    assert json.loads((tmp_path / "t.json").read_text())["sent"] == len(lines(tmp_path / "events.ndjson"))
    process = subprocess.Popen(
        [sys.executable, "-m", "mercato.cli", "generate", "--live", "--rate", "500", "--to", "stdout"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    first = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert abs(datetime.fromisoformat(first["receivedAt"]).timestamp() - time.time()) < 60


def test_a_scenario_file_is_read_and_named_in_the_command_that_repeats_it(tmp_path: Path) -> None:
    story = tmp_path / "story.toml"
    story.write_text('[[window]]\nkind = "traffic"\nstart = 2026-01-01T10:00:00Z\nminutes = 60\n')
    result = generate(
        "--start", "2026-01-01", "--end", "2026-01-02", "--sessions-per-day", "5", "--scenario", story,
        "--to", "files", "--out", tmp_path / "out", "--compress", "gz",
    )  # fmt: skip
    assert result.exit_code == 0
    assert f"--scenario {story}" in result.stderr
    assert "--compress gz" in result.stderr


def test_a_reader_that_goes_away_is_one_line_and_no_truth(tmp_path: Path) -> None:
    arguments = f"generate --days 9 --to stdout --truth {tmp_path}/truth.json"
    command = f"{sys.executable} -m mercato.cli {arguments} | head -1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert b"Traceback" not in result.stderr
    assert b"reader of the stream went away" in result.stderr
    assert not list(tmp_path.iterdir())
