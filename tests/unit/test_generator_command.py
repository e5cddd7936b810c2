"""`mercato generate` as people use it: a wrong wish costs one clear line, a stop leaves whole files."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from data_generator.pace import Pace
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
        (["--to", "files"], "--out"),
        (["--out", "somewhere"], "--out"),
        (["--to", "files", "--out", "/proc/no"], "/proc/no can't be written"),
        (["--truth", "/no/such/truth.json"], "no folder /no/such"),
        (["--truth", "/"], "/ is a folder"),
        (["--end", "2999-01-01"], "in the future"),
        (["--start", "2999-01-01"], "starts on 2999-01-01 and ends on"),
        (["--start", "2026-01-01", "--days", "9999999"], "--days is 9999999"),
        (["--start", "2026-01-01", "--end", "2026-01-03", "--days", "5"], "contradict"),
        (["--to", "stdout", "--json"], "both write to stdout"),
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


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_whole_file_and_a_truth_that_matches_it(
    tmp_path: Path, name: signal.Signals
) -> None:
    command = [
        sys.executable,
        "-m",
        "mercato.cli",
        "generate",
        "--days",
        "3",
        "--rate",
        "400",
        "--to",
        "files",
    ]
    process = subprocess.Popen(
        [*command, "--out", tmp_path, "--truth", tmp_path / "truth.json"], stderr=subprocess.PIPE
    )
    part = tmp_path / "events.ndjson.part"
    while not part.exists() or part.stat().st_size < 20_000:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(name)
    _, words = process.communicate(timeout=10)
    assert process.returncode == 1
    assert b"stopped early" in words
    assert b"Traceback" not in words
    assert not part.exists()
    whole = (tmp_path / "events.ndjson").read_bytes()
    assert whole.endswith(b"\n")
    assert json.loads((tmp_path / "truth.json").read_text())["sent"] == whole.count(b"\n") < 5_000


def test_a_reader_that_goes_away_is_one_line_and_no_truth(tmp_path: Path) -> None:
    arguments = f"generate --days 9 --to stdout --truth {tmp_path}/truth.json"
    command = f"{sys.executable} -m mercato.cli {arguments} | head -1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert b"Traceback" not in result.stderr
    assert b"reader of the stream went away" in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_rate_holds_without_a_burst_at_the_beginning_or_after_a_stall() -> None:
    now = [100.0]
    pace = Pace(1_000, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    now[0] += 60  # the world was being built
    passed = sum(50 for _ in range(200) if pace.wait(50, lambda: False))
    assert passed / 1_000 == pytest.approx(now[0] - 160, abs=0.06)
    now[0] += 60  # the broker stalled
    begun = now[0]
    for _ in range(200):
        pace.wait(50, lambda: False)
    assert now[0] - begun >= 10 - 1.06


def test_a_stop_ends_the_waiting_of_a_slow_stream() -> None:
    pace = Pace(0.01)
    assert pace.wait(1, lambda: True)
    assert not pace.wait(1, lambda: True)
