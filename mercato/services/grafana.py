"""A Grafana that is installed on this machine, with our dashboards, alerts and data source.

Guarantee: listens on 127.0.0.1 only, its admin's password is generated here, all its state is in `HOME/grafana`, and it
reads the warehouse as mercato_reader. Without a `grafana` on the PATH nothing is started: `mercato report` serves.
"""

import json
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from mercato.errors import MercatoError, ServiceUnavailable, ServiceWontStart
from mercato.services import endpoints, postgres, process
from mercato.services.secrets import secret, write_private
from mercato.settings import ROOT, Settings

USER = "admin"
SOURCE = ROOT / "grafana"
#: A first start makes its own database: 5 to 20 s.
START_SECONDS = 90


def folder(settings: Settings) -> Path:
    """Where its state and log are."""
    return settings.home / "grafana"


def program() -> Path | None:
    """Grafana's program on the PATH, or None."""
    found = shutil.which("grafana") or shutil.which("grafana-server")
    return Path(found).resolve() if found else None


def installation(binary: Path) -> Path:
    """The folder with `public/` and `conf/defaults.ini` that belongs to a program.

    Raises:
        MercatoError: there is none where packages and archives put it.
    """
    for home in (binary.parent.parent, Path("/usr/share/grafana"), Path("/opt/homebrew/share/grafana")):
        if (home / "conf" / "defaults.ini").exists():
            return home
    raise MercatoError(
        f"{binary} is there, but not its folder `conf`", "install Grafana whole, from its archive or package"
    )


def url(settings: Settings) -> str:
    """Address of the UI.

    Raises:
        ServiceUnavailable: it never started in this checkout.
    """
    port = process.known_port(settings.home, "grafana")
    if port is None:
        raise ServiceUnavailable("Grafana was never started here", "`mercato up --grafana`")
    return f"http://127.0.0.1:{port}"


def running(settings: Settings) -> bool:
    """Whether the Grafana of this checkout runs."""
    return _process(settings) is not None


def healthy(settings: Settings) -> bool:
    """Whether it answers and its own database is fine."""
    try:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{url(settings)}/api/health", timeout=5) as reply:
            return bool(json.load(reply).get("database") == "ok")
    except (OSError, urllib.error.URLError, ValueError):
        return False


def start(settings: Settings, contact_points: dict[str, Any]) -> None:
    """Start it if it doesn't run, and wait until it answers; `contact_points` is the file of those who are told.

    Raises:
        MercatoError: there is no Grafana on this machine.
        ServiceWontStart: it ended, or doesn't answer after START_SECONDS.
    """
    if running(settings) and healthy(settings):
        return
    binary = program()
    if binary is None:
        raise MercatoError(
            "there is no `grafana` on the PATH",
            "install Grafana 9.3 or newer from its makers' archive or packages; without it, "
            "`mercato report --html report.html` draws the same dashboards",
        )
    stop(settings)
    home = folder(settings)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    wanted = settings.local.grafana_port
    if wanted is None and process.known_port(settings.home, "grafana") is None and process.port_free(3000):
        wanted = 3000  # where people expect Grafana
    port = process.choose_port(settings.home, "grafana", wanted)
    _provision(settings, contact_points)
    words = [str(binary)] + (["server"] if binary.name == "grafana" else [])
    command = [*words, "--homepath", str(installation(binary)), "--config", str(home / "grafana.ini")]
    write_private(home / "grafana.ini", "# The settings are in the environment.\n")
    process.spawn(command, log=home / "grafana.log", pid_file=home / "pid", env=environment(settings, port))
    if not process.wait_until(
        lambda: healthy(settings) or not running(settings), seconds=START_SECONDS
    ) or not running(settings):
        log = home / "grafana.log"
        said = " / ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        stop(settings)
        raise ServiceWontStart(f"Grafana: {said or 'no word'}", f"read {log}")


def stop(settings: Settings) -> None:
    """Stop it; does nothing if it doesn't run."""
    if found := _process(settings):
        process.stop(found)
    (folder(settings) / "pid").unlink(missing_ok=True)


def environment(settings: Settings, port: int) -> dict[str, str]:
    """Grafana's environment: its settings, and what the provisioning files name."""
    home = folder(settings)
    reader = endpoints.warehouse(settings, role=postgres.READER)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("GF_")},
        "WAREHOUSE_ADDRESS": f"{reader.host}:{reader.port}",
        "WAREHOUSE_USER": reader.user,
        "WAREHOUSE_DATABASE": reader.database,
        "WAREHOUSE_PASSWORD": reader.password,
        "WAREHOUSE_SSLMODE": reader.sslmode,
        "DASHBOARDS_FOLDER": str(SOURCE / "dashboards"),
        "GF_PATHS_DATA": str(home / "data"),
        "GF_PATHS_LOGS": str(home / "logs"),
        "GF_PATHS_PLUGINS": str(home / "plugins"),
        "GF_PATHS_PROVISIONING": str(home / "provisioning"),
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_SECURITY_ADMIN_USER": USER,
        "GF_SECURITY_ADMIN_PASSWORD": secret(settings.home, "grafana-admin"),
        "GF_SECURITY_SECRET_KEY": secret(settings.home, "grafana-key"),
        "GF_SECURITY_DISABLE_GRAVATAR": "true",
        "GF_USERS_ALLOW_SIGN_UP": "false",
        "GF_AUTH_ANONYMOUS_ENABLED": "false",
        # Nothing is asked for from outside.
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_DASHBOARDS_MIN_REFRESH_INTERVAL": "5s",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(
            SOURCE / "dashboards" / "Business" / "mercato-sales.json"
        ),
    }


def _provision(settings: Settings, contact_points: dict[str, Any]) -> None:
    """The committed files, but for the addresses of those who are told: those are of this machine."""
    target = folder(settings) / "provisioning"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(SOURCE / "provisioning", target)
    write_private(target / "alerting" / "contact-points.json", json.dumps(contact_points).replace("$", "$$"))


def _process(settings: Settings) -> psutil.Process | None:
    home = folder(settings)
    return process.alive(process.read_number(home / "pid"), str(home / "grafana.ini"))
