"""Every command block of the README and the guides: what is cheap is run, the rest is parsed as the program would."""

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from mercato.cli import COMMANDS, cli
from mercato.kafka_admin import Admin
from mercato.services import dictionary, endpoints
from mercato.settings import ROOT, Settings, names

DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "architecture").glob("*.md")),
]
#: Subcommands that are quick on an empty warehouse, and harm nothing there.
RUN = {
    "backfill", "backup", "consume", "doctor", "export", "init", "lag", "maintain", "migrate", "replay", "report",
    "runs", "status", "verify",
}  # fmt: skip
#: Too long, or for ever, though of a command that is run.
LONG = {"--full-refresh", "--live", "--settle"}
#: These say by exit code 1 that something is wrong; an empty warehouse has something.
MAY_FAIL = {"doctor", "status", "verify", "backfill", "export", "report"}
COMPOSE_OPTIONS = {
    "--profile",
    "--detach",
    "--wait",
    "--build",
    "--force-recreate",
    "--scale",
    "--follow",
    "--rm",
    "--volume",
}
#: Files of events that a command names.
EVENTS = re.compile(r"\.ndjson(\.gz|\.zst)?$")


@dataclass(frozen=True)
class Line:
    """One command of a block: where it stands, its environment, its words."""

    where: str
    environment: tuple[tuple[str, str], ...]
    words: tuple[str, ...]


def lines() -> Iterator[Line]:
    for path in DOCUMENTS:
        for block in re.findall(r"^```(?:sh|bash)\n(.*?)^```", path.read_text("utf-8"), re.M | re.S):
            for line in block.replace("\\\n", " ").splitlines():
                for part in line.split(" && "):
                    words = shlex.split(part, comments=True)
                    environment = []
                    while words and re.fullmatch(r"[A-Z_0-9]+=.*", words[0]):
                        name, _, value = words.pop(0).partition("=")
                        environment.append((name, value))
                    if words or environment:
                        yield Line(f"{path.name}: {part.strip()}", tuple(environment), tuple(words))


LINES = sorted(set(lines()), key=lambda line: line.where)


def mercato_words(words: tuple[str, ...]) -> list[str] | None:
    """The words after `mercato`, if this is it, also inside of a container."""
    for number, word in enumerate(words):
        if word == "mercato" or word.endswith("/mercato"):
            return list(words[number + 1 :])
    return None


def test_there_are_commands_of_every_kind() -> None:
    programs = {Path(line.words[0]).name for line in LINES if line.words}
    assert {"mercato", "make", "docker", "dbt"} <= programs
    assert len(LINES) > 50


def test_each_variable_is_a_setting_or_airflows() -> None:
    for line in LINES:
        for name, _ in line.environment:
            assert name in names() or name.startswith("AIRFLOW__") or name == "PYTHON", line.where


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.where)
def test_each_command_is_one_that_its_program_takes(line: Line, tmp_path: Path) -> None:
    if not line.words:
        return
    program = Path(line.words[0]).name
    check: dict[str, Callable[[Line, Path], None]] = {
        "mercato": _check_mercato, "docker": _check_docker, "make": _check_make, "dbt": _check_dbt, "cd": _check_folder,
        "git": _check_git, "python3": _check_module, "python": _check_module, "pytest": _check_module,
    }  # fmt: skip
    assert program in check, f"no check for {program}"
    check[program](line, tmp_path)


def _check_mercato(line: Line, folder: Path) -> None:
    words = mercato_words(line.words) or []
    if words in (["--version"], ["--help"]):
        return
    assert words[0] in COMMANDS, line.where
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    (events := folder / "events.ndjson").touch()
    arguments = [
        str(folder) if word.startswith("backups/")
        else str(events) if words[0] == "load" and EVENTS.search(word)
        else word.replace("…", "1")
        for word in words[1:]
    ]  # fmt: skip
    if arguments != ["--help"]:
        command.make_context(words[0], arguments)  # parses, doesn't run; wrong use is an exception


def _check_make(line: Line, _: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in line.words[1:]:
        assert "=" in target or re.search(rf"^{target}:", makefile, re.M), line.where


def _check_folder(line: Line, _: Path) -> None:
    assert (ROOT / line.words[1]).is_dir(), line.where


def _check_git(line: Line, _: Path) -> None:
    assert line.words[1] in ("pull", "clone"), line.where


def _check_module(line: Line, _: Path) -> None:
    if "-m" in line.words:
        module = line.words[line.words.index("-m") + 1]
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), line.where
        return
    for word in line.words[1:]:
        assert word.startswith("-") or (ROOT / word.partition("::")[0]).exists(), line.where


def _check_dbt(line: Line, _: Path) -> None:
    from dbt.cli.main import cli as dbt

    command = dbt.get_command(click.Context(dbt), line.words[1])
    assert command is not None, line.where
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in line.words if word.startswith("--")} <= known, line.where
    dictionary_text = dictionary.TARGET.read_text("utf-8")
    for table in re.findall(r"(?:from|join) (\w+\.\w+)", " ".join(line.words)):
        assert f"### {table}\n" in dictionary_text, f"{line.where}: there is no {table}"


def _check_docker(line: Line, folder: Path) -> None:
    project: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    words = list(line.words[1:])
    if words[0] == "buildx":
        assert (ROOT / words[words.index("--file") + 1]).exists()
        return
    assert words.pop(0) == "compose", line.where
    while words[0] == "--profile":
        profile = words[1]
        assert any(profile in one["profiles"] for one in project["services"].values()), line.where
        words = words[2:]
    action = words.pop(0)
    assert action in ("up", "down", "ps", "exec", "run", "logs", "build", "restart", "stop"), line.where
    inner = mercato_words(tuple(words)) is not None
    own = words[: words.index("mercato")] if inner else words
    options = {word.partition("=")[0] for word in own if word.startswith("--")}
    assert options <= COMPOSE_OPTIONS, f"{line.where}: {options - COMPOSE_OPTIONS}"
    for word in own:
        if not word.startswith("-"):
            assert word.partition("=")[0] in project["services"], f"{line.where}: there is no service {word}"
    if inner:
        _check_mercato(line, folder)


def test_the_cheap_ones_run(
    settings: Settings, mercato: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    with Admin(endpoints.kafka(settings)) as admin:  # as `mercato up` leaves it
        admin.ensure_topic(settings.kafka.topic, settings.kafka.partitions)
    done = set()
    for line in LINES:
        words = mercato_words(line.words)
        if not words or words[0] not in RUN or set(words) & LONG or line.words[0] == "docker":
            continue
        extra = {"backup": ["--to", str(tmp_path / "backups")], "init": ["--folder", str(tmp_path / "init")]}
        files = [str(tmp_path / word) if re.search(r"\.(html|pdf|json)$", word) else word for word in words]
        if (key := tuple(files)) in done or ("--truth" in words) or "…" in " ".join(words):
            continue
        done.add(key)
        if words[0] == "consume" and "--until-empty" not in words:
            files.append("--until-empty")
        ended = mercato(*files, *extra.get(words[0], []))
        assert ended.returncode == 0 or (words[0] in MAY_FAIL and ended.returncode == 1), (
            f"{line.where}\n{ended.stderr}"
        )
        assert "Traceback" not in ended.stderr, line.where
    assert len(done) > 10


def test_the_data_dictionary_is_that_of_the_models() -> None:
    assert dictionary.TARGET.read_text("utf-8") == dictionary.render(dictionary.manifest()), "run `make docs`"
