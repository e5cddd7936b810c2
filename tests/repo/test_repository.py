"""What the repository promises about itself."""

import re
import subprocess

import pytest

from mercato import settings
from mercato.cli import COMMANDS
from mercato.settings import ROOT

FILES = subprocess.run(
    ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split("\0")[:-1]


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_the_locks_are_hashed_and_name_no_host() -> None:
    for name in ("requirements.lock", "requirements-bootstrap.lock", "benchmarks/peers-requirements.txt"):
        pins = re.findall(r"^[\w.-]+==\S+.*$", text(name), re.MULTILINE)
        assert pins
        assert all(pin.endswith("\\") for pin in pins), "each pin is followed by its hashes"
        assert "://" not in text(name)
    assert "uv.lock" not in FILES


def test_the_jars_are_pinned_by_their_content_and_name_no_host() -> None:
    poms = [name for name in FILES if name.endswith("pom.xml")]
    assert poms
    for pom in poms:
        lines = text(pom.replace("pom.xml", "jars.sha256")).splitlines()
        assert len(lines) > 10
        assert all(re.fullmatch(r"[0-9a-f]{64}  [\w.-]+\.jar", line) for line in lines)
        assert "://" not in text(pom)


def test_airflows_folder_does_not_shadow_airflow() -> None:
    assert not [name for name in FILES if name.startswith("airflow/") and name.endswith("__init__.py")]
    assert not [name for name in FILES if re.match(r"dbt_[^/]*(\.py|/__init__\.py)$", name)]


def test_each_link_of_the_documents_leads_somewhere() -> None:
    for name in (name for name in FILES if name.endswith(".md")):
        folder = (ROOT / name).parent
        for target in re.findall(r"\]\(([^)#:]+)\)", text(name)):
            assert (folder / target).exists(), f"{name} links to {target}"


def test_each_test_that_the_readme_names_exists() -> None:
    tests = "".join(text(name) for name in FILES if name.startswith("tests/") and name.endswith(".py"))
    named = re.findall(r"`(test_\w+?)_?…?`", text("README.md"))
    assert len(named) >= 5
    for name in named:
        assert f"def {name}" in tests, f"README.md names {name}"


def test_no_secret_and_no_default_password_is_committed() -> None:
    pattern = re.compile(
        r"password\s*[=:]\s*['\"]?(postgres|admin|airflow|mercato|password|secret)\b(?![.(])", re.I
    )
    for name in FILES:
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            assert not pattern.search(path.read_text("utf-8", errors="ignore")), name


def test_each_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    from click.testing import CliRunner

    from mercato.cli import cli

    for command in COMMANDS:
        shown = CliRunner().invoke(cli, [command, "--help"])
        assert shown.exit_code == 0
        assert re.search(rf"Examples?:\s+mercato {command}", shown.output), f"mercato {command} --help"


def test_a_misspelt_setting_is_an_error_that_names_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from mercato.errors import WrongUse

    monkeypatch.setenv("MERCATO_KAFKA__TOPICC", "x")
    with pytest.raises(WrongUse, match="no setting MERCATO_KAFKA__TOPICC") as caught:
        settings.load()
    assert caught.value.cure == "did you mean MERCATO_KAFKA__TOPIC?"


def test_the_modules_stay_small() -> None:
    long = {
        name: lines
        for name in FILES
        if re.match(r"(mercato|ingestion|data_generator|airflow)/.*\.py$", name)
        and (lines := len(text(name).splitlines())) > 300
    }
    assert long == {}
