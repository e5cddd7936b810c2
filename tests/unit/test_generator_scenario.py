"""A scenario file is read as it is meant, or refused with its place and a cure."""

from pathlib import Path

import pytest

from data_generator.fault_kinds import KINDS
from data_generator.scenario import DEFAULT_STRENGTH, Scenario, Window, read
from mercato.errors import WrongUse
from mercato.settings import ROOT

GOOD = """
[[window]]
kind = "payment_outage"
start = 2026-11-27T21:00:00+01:00
minutes = 45
strength = 0.9

[[window]]
kind = "traffic"
start = 2026-11-27T00:00:00Z
minutes = 1440
"""
EIGHT = 1_795_809_600_000  # 2026-11-27T20:00:00Z


def write(folder: Path, text: str) -> Path:
    path = folder / "story.toml"
    path.write_text(text)
    return path


def test_a_file_is_read_and_a_window_holds_its_start_but_not_its_end(tmp_path: Path) -> None:
    found = read(write(tmp_path, GOOD))
    outage = Window("payment_outage", EIGHT, EIGHT + 45 * 60_000, 0.9)
    assert found.windows[0] == outage
    assert found.windows[1].strength == DEFAULT_STRENGTH["traffic"]
    assert found.of("payment_outage") == (outage,)
    for at, strength in ((EIGHT - 1, 0.0), (EIGHT, 0.9), (outage.end - 1, 0.9), (outage.end, 0.0)):
        assert found.strength("payment_outage", at) == strength
    assert Scenario().strength("traffic", EIGHT, 1.0) == 1.0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[window]", "story.toml: "),
        ("", "no scenario"),
        ("window = 3", "no scenario"),
        ("window = [3]", "no scenario"),
        (f"title = 'x'\n{GOOD}", "no scenario"),
        (GOOD.replace("payment_outage", "flood"), "window 1 has the kind 'flood'"),
        (GOOD.replace('"traffic"', "[1]"), r"window 2 has the kind \[1\]"),
        (GOOD.replace("strength", "strenght"), "window 1 has 'strenght'"),
        (GOOD.replace("+01:00", ""), "window 1: start is"),
        (GOOD.replace("1440", "-5"), "window 2: minutes is -5"),
        (GOOD.replace("1440", "true"), "window 2: minutes is True"),
        (GOOD.replace("1440", "nan"), "window 2: minutes is nan"),
        (GOOD.replace("0.9", "1.5"), "window 1: strength is 1.5"),
        (GOOD.replace("payment_outage", "late").replace("0.9", "1.1"), "window 1: strength is 1.1"),
        (GOOD.replace("0.9", "'much'"), "window 1: strength is 'much'"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_a_cure(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(WrongUse, match=rf"(?s){why}.*cure: "):
        read(write(tmp_path, text))


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(WrongUse, match=r"/nowhere\.toml can't be read"):
        read(Path("/nowhere.toml"))


def test_the_story_that_is_shipped_can_be_told() -> None:
    story = read(ROOT / "data_generator" / "scenarios" / "black_friday_2025.toml")
    assert {window.kind for window in story.windows} == set(DEFAULT_STRENGTH) - set(KINDS)
