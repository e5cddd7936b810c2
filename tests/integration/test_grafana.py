"""`mercato up --grafana`, with a stand-in for Grafana that answers its health page and shows what it was given."""

import json
import os
import stat
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mercato.dashboards.alerts import contact_points
from mercato.errors import MercatoError
from mercato.services import grafana, postgres
from mercato.settings import Settings

STAND_IN = f"""#!{sys.executable}
import http.server, json, os

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({{"database": "ok", "environment": dict(os.environ)}}).encode())

    def log_message(self, *words):
        pass

address = os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"])
http.server.HTTPServer(address, Page).serve_forever()
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder laid out as Grafana's, its program on the PATH."""
    program = tmp_path / "grafana" / "bin" / "grafana"
    program.parent.mkdir(parents=True)
    program.write_text(STAND_IN)
    program.chmod(0o755)
    (tmp_path / "grafana" / "conf").mkdir()
    (tmp_path / "grafana" / "conf" / "defaults.ini").touch()
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return program


def test_grafana_gets_our_files_the_reader_and_secrets_of_its_own(
    services: Settings, installed: Path
) -> None:
    told = contact_points("ops@shop.example", "", "https://hooks.example/a$b")
    try:
        grafana.start(services, told)
        grafana.start(services, told)  # it runs: nothing is done
        with urllib.request.urlopen(f"{grafana.url(services)}/api/health", timeout=10) as reply:
            seen = json.load(reply)["environment"]
        home = grafana.folder(services)
        assert grafana.url(services).startswith("http://127.0.0.1:")
        assert seen["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
        assert seen["WAREHOUSE_USER"] == postgres.READER
        assert len(seen["GF_SECURITY_ADMIN_PASSWORD"]) > 20
        secret = services.home / "secrets" / "grafana-admin"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert secret.read_text() == seen["GF_SECURITY_ADMIN_PASSWORD"]
        assert Path(seen["DASHBOARDS_FOLDER"], "Business", "mercato-sales.json").exists()
        provisioning = Path(seen["GF_PATHS_PROVISIONING"])
        given = json.loads((provisioning / "alerting" / "contact-points.json").read_text())
        settings = [one["settings"] for one in given["contactPoints"][0]["receivers"]]
        assert settings == [{"url": "https://hooks.example/a$$b"}, {"addresses": "ops@shop.example"}]
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        for place in home.rglob("*"):  # the password travels in the environment alone
            assert not place.is_file() or seen["WAREHOUSE_PASSWORD"] not in place.read_text(errors="replace")
    finally:
        grafana.stop(services)
    assert not grafana.running(services)


def test_a_second_start_hands_grafana_the_same_files_keys_and_address(
    services: Settings, installed: Path
) -> None:
    """What differs would be a new version of a dashboard there, or a secret that it can't read any more."""

    def handed(told: dict[str, Any]) -> tuple[dict[str, str], dict[str, bytes]]:
        try:
            grafana.start(services, told)
            with urllib.request.urlopen(f"{grafana.url(services)}/api/health", timeout=10) as reply:
                environment = json.load(reply)["environment"]
        finally:
            grafana.stop(services)
        folders = (Path(environment[name]) for name in ("GF_PATHS_PROVISIONING", "DASHBOARDS_FOLDER"))
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return environment, {str(path): path.read_bytes() for path in files}

    told = contact_points("ops@shop.example", "", "https://hooks.example/a$b")
    first = handed(told)
    assert len(first[1]) > 10
    assert handed(told) == first
    changed = {
        Path(path).name
        for path, text in handed(contact_points("", "", ""))[1].items()
        if text != first[1][path]
    }
    assert changed == {"contact-points.json"}


def test_without_grafana_the_cure_is_said(services: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MercatoError, match="mercato report"):
        grafana.start(services, contact_points("", "", ""))


def test_every_variable_of_the_provisioning_files_is_set(services: Settings) -> None:
    import re

    given = grafana.environment(services, 3000) | dict.fromkeys(
        ["MERCATO_ALERTS__EMAIL", "MERCATO_ALERTS__WEBHOOK", "MERCATO_ALERTS__SLACK"], ""
    )
    for path in (grafana.SOURCE / "provisioning").rglob("*"):
        if path.is_file():
            for name in re.findall(r"(?<!\$)\$\{?(\w+)", path.read_text("utf-8")):
                assert name in given, f"{path.name}: {name}"
