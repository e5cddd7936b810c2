"""`mercato chaos` as it is used: what holds under kills, what is caught, and what is left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mercato.settings import PREFIX, ROOT

MERCATO = str(Path(sys.executable).with_name("mercato"))
SABOTAGE = Path(__file__).parents[1] / "sabotage"


@pytest.fixture
def home() -> Iterator[Path]:
    """A state folder of its own, below the checkout's, where Postgres' user can reach it."""
    path = ROOT / ".mercato" / f"test-chaos-{os.getpid()}"
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return ours | {"MERCATO_HOME": str(home)}


def chaos(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MERCATO, "chaos", *words], env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def outcome(ran: subprocess.CompletedProcess[str], code: int) -> dict[str, Any]:
    assert ran.returncode == code, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def left(home: Path) -> list[list[str]]:
    """Command lines of the processes that still know this home; a server that ends takes a moment."""
    found: list[list[str]] = []
    for _ in range(100):
        found = [
            one.info["cmdline"]
            for one in psutil.process_iter(["cmdline", "environ"])
            if str(home) in " ".join(one.info["cmdline"] or [])
            or (one.info["environ"] or {}).get("MERCATO_HOME") == str(home)
        ]
        if not found:
            break
        time.sleep(0.05)
    return found


def test_20_kills_of_every_kind_lose_nothing_and_double_nothing(
    environment: dict[str, str], home: Path
) -> None:
    found = outcome(chaos(environment, "--kills", "20", "--seed", "11", "--json"), 0)
    assert found["differences"] == []
    assert (found["ok"], found["kills"], len(found["kills_by_kind"])) == (True, 20, 10)
    assert (found["lost"], found["twice"], found["residual"], found["in_flight"]) == (0, 0, 0, 0)
    assert found["sent"] == found["loaded"] + found["duplicate"] + found["quarantined"]
    assert min(found["loaded"], found["duplicate"], found["quarantined"]) > 0
    assert found["fenced"] > 0, "no zombie was woken behind the others: nothing was proved about them"
    assert found["missed"] < 10, "most kills came at other moments than planned"
    assert left(home) == []
    assert not (home / "chaos").exists()


@pytest.mark.parametrize(
    ("broken", "signs"),
    [
        ("position_first", ("ids lost",)),
        # A kill between the two commits leaves rows without a book; who reads them again meets the tables' own keys.
        ("rows_first", ("rows are in no batch of the ledger", "UniqueViolation")),
    ],
)
def test_a_build_that_commits_in_two_steps_is_caught(
    environment: dict[str, str], home: Path, broken: str, signs: tuple[str, ...]
) -> None:
    # The run ends at the first difference. One comes within twenty kills mostly, but where other work on the machine
    # makes kills miss their boundary, later.
    found = outcome(
        chaos(environment, "--kills", "80", "--seed", "1", "--json", "--sabotage", str(SABOTAGE / f"{broken}.py")), 1
    )  # fmt: skip
    assert not found["ok"]
    said = "\n".join([*found["differences"], (home / "chaos" / "workers.log").read_text()])
    assert any(sign in said for sign in signs), said[-3000:]
    if broken == "position_first":
        assert min(found["lost"], found["residual"]) > 0
    assert left(home) == []


def test_an_interrupted_run_leaves_nothing_running(environment: dict[str, str], home: Path) -> None:
    run = subprocess.Popen(
        [MERCATO, "chaos", "--kills", "1000"], env=environment, stderr=subprocess.PIPE, text=True
    )
    seen = home / "chaos" / "seen.ndjson"
    while run.poll() is None and not (seen.exists() and "struck" in seen.read_text()):
        time.sleep(0.05)
    children = psutil.Process(run.pid).children(recursive=True)
    assert len(children) > 3
    run.send_signal(signal.SIGINT)
    _, words = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "Traceback" not in words
    assert left(home) == []
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_the_same_seed_prints_the_same_plan(environment: dict[str, str], home: Path) -> None:
    plans = [
        chaos(environment, "--kills", "50", "--seed", seed, "--plan").stdout.splitlines()
        for seed in ("5", "5", "6")
    ]
    assert plans[0] == plans[1] != plans[2]
    assert len(plans[0]) == 50
    assert not home.exists()


@pytest.mark.parametrize("words", [("--kills", "0"), ("--kills", "-3"), ("--rate", "0")])
def test_wrong_options_are_one_clear_line(environment: dict[str, str], words: tuple[str, str]) -> None:
    ran = chaos(environment, *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    line, cure = ran.stderr.splitlines()
    assert line == f"mercato: {words[0]} is {words[1]}"
    assert cure.startswith("  cure: ask for 1 to ")
