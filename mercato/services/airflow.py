"""The local Airflow: API server with its UI, scheduler, DAG processor and triggerer, from the installed package.

Guarantee: listens on 127.0.0.1 only; every secret is generated here and travels in the environment, never
in a command line; all state is in `HOME/airflow`, metadata in the database `airflow` of the local Postgres.
"""

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import psutil

from mercato.errors import ServiceUnavailable, ServiceWontStart
from mercato.services import endpoints, postgres, process
from mercato.services.airflow_supervisor import PATIENCE, session_members
from mercato.services.secrets import fernet_key, secret, write_private
from mercato.settings import ROOT, Settings

USER = "admin"
#: What has to be healthy, by the names of Airflow's health page.
COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
#: Healthy after 10 to 15 s on two busy cores; a cold disk takes longer.
START_SECONDS = 120


def folder(settings: Settings) -> Path:
    """Where its state and logs are."""
    return settings.home / "airflow"


def url(settings: Settings) -> str:
    """Address of the UI and the API.

    Raises:
        ServiceUnavailable: it never started in this checkout.
    """
    port = process.known_port(settings.home, "airflow")
    if port is None:
        raise ServiceUnavailable("Airflow was never started here", "`mercato up --airflow`")
    return f"http://127.0.0.1:{port}"


def password(settings: Settings) -> str:
    """Password of the UI's user `admin`."""
    return secret(settings.home, "airflow-admin", size=12)


def running(settings: Settings) -> bool:
    """Whether the supervisor of this checkout's Airflow runs."""
    return _supervisor(settings) is not None


def health(settings: Settings) -> dict[str, str]:
    """Status of each component as Airflow itself sees it; empty where the API doesn't answer."""
    try:
        with _direct().open(f"{url(settings)}/api/v2/monitor/health", timeout=5) as reply:
            parts = json.load(reply)
    except (OSError, urllib.error.URLError, ValueError):
        return {}
    return {name: str(parts[name]["status"]) for name in COMPONENTS if name in parts}


def environment(settings: Settings) -> dict[str, str]:
    """Environment of every Airflow process, and so of every task."""
    home = folder(settings)
    database = postgres.endpoint(settings, database="airflow", user="airflow")
    address = url(settings)
    ours = {
        "AIRFLOW_HOME": str(home),
        "MERCATO_HOME": str(settings.home),
        **endpoints.environment(settings),
        "MERCATO_KAFKA__BOOTSTRAP_SERVERS": endpoints.kafka(settings),
        "MERCATO_KAFKA__TOPIC": settings.kafka.topic,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        # A proxy of the user's must not see the traffic between the components.
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"])),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "airflow" / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "airflow" / "plugins"),
        "AIRFLOW__CORE__EXECUTOR": settings.airflow.executor,
        "AIRFLOW__CORE__PARALLELISM": str(settings.airflow.parallelism),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        # One that an earlier version made lacks its padding.
        "AIRFLOW__CORE__FERNET_KEY": secret(settings.home, "airflow-fernet", make=fernet_key).ljust(44, "="),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
            f"postgresql+psycopg2://{database.user}:{database.password}@{database.host}:{database.port}/{database.database}"
        ),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(_port(settings)),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__SECRET_KEY": secret(settings.home, "airflow-api"),
        "AIRFLOW__API__INSTANCE_NAME": "mercato",
        "AIRFLOW__API_AUTH__JWT_SECRET": secret(settings.home, "airflow-jwt", size=48),
        # With the default of 5 s a finished task can hold its slot for 5 s.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # On a busy laptop the API took more than the default of 5 s, and a task that hadn't begun was red.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # A task that a stop or a crash cut off is found within a minute, not after five, and run again.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "45",
        # Hooks and operators of Airflow's own find the warehouse by this name.
        "AIRFLOW_CONN_WAREHOUSE": _connection(settings),
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__LOGGING__UVICORN_LOGGING_LEVEL": "WARNING",  # no line for each request
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "DO_NOT_TRACK": "1",
    }
    ours["no_proxy"] = ours["NO_PROXY"]
    # Without byte code each process would compile Airflow again: 3.3 s instead of 1.6 s.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **ours}


def _connection(settings: Settings) -> str:
    """The warehouse as Airflow writes a connection."""
    address = endpoints.warehouse(settings)
    user, password = (quote(word, safe="") for word in (address.user, address.password))
    return f"postgres://{user}:{password}@{address.host}:{address.port}/{address.database}?sslmode={address.sslmode}"


def start(settings: Settings) -> None:
    """Start Airflow if it doesn't run, and wait until all its components are healthy. Postgres must be up.

    Raises:
        ServiceWontStart: the port is taken, a component exited, or it isn't healthy after START_SECONDS.
    """
    if running(settings) and _settled(settings):
        return
    _launch(settings)
    up = _settled(settings)
    if not up and settings.local.airflow_port is None and not process.port_free(_port(settings)):
        # Another program took the port between our look and our start: this takes a free one.
        _launch(settings)
        up = _settled(settings)
    if up:
        from mercato.services.airflow_api import Api  # which asks this module for the address

        # Two runs of dbt on the same tables would wait for each other: they queue instead.
        Api(settings).ensure_pool("dbt", 1, "Tasks that run dbt, one at a time.")
    else:
        home = folder(settings)
        said = _last_words(home)
        stop(settings)
        raise ServiceWontStart(f"Airflow: {said}", f"read the logs in {home}")


def stop(settings: Settings) -> None:
    """Stop every component, and whatever a killed supervisor left; does nothing if nothing runs."""
    if found := _supervisor(settings):
        process.stop(found, patience=PATIENCE + 3)
    if leader := process.read_number(folder(settings) / "pid"):
        # The kernel told them to end when the supervisor died; executor workers don't listen.
        process.wait_until(lambda: not session_members(leader), seconds=2)
        for member in session_members(leader):
            process.stop(member, patience=0.1)
    (folder(settings) / "pid").unlink(missing_ok=True)


def _supervisor(settings: Settings) -> psutil.Process | None:
    home = folder(settings)
    return process.alive(process.read_number(home / "pid"), f"mercato.services.airflow_supervisor {home} ")


def _healthy(settings: Settings) -> bool:
    states = health(settings)
    return (
        len(states) == len(COMPONENTS) and set(states.values()) == {"healthy"} and _answers_itself(settings)
    )


def _answers_itself(settings: Settings) -> bool:
    """Whether it is ours that listens, not the Airflow of another checkout that took the port first."""
    leader = process.read_number(folder(settings) / "pid")
    for member in session_members(leader) if leader else []:
        with contextlib.suppress(psutil.Error):
            for listener in member.net_connections("tcp"):
                if listener.status == psutil.CONN_LISTEN and listener.laddr.port == _port(settings):
                    return True
    return False


def _port(settings: Settings) -> int:
    return int(url(settings).rpartition(":")[2])


def _settled(settings: Settings) -> bool:
    """Wait for what was started: True once it is healthy, False if it ended."""
    if process.wait_until(lambda: _healthy(settings) or not running(settings), seconds=START_SECONDS):
        return running(settings)
    states = ", ".join(f"{name} {state}" for name, state in health(settings).items())
    raise ServiceWontStart(
        f"Airflow isn't healthy after {START_SECONDS} s: {states or 'its API does not answer'}",
        f"read the logs in {folder(settings)}",
    )


def _choose_port(settings: Settings) -> None:
    wanted = settings.local.airflow_port
    if wanted is None and process.known_port(settings.home, "airflow") is None and process.port_free(8080):
        wanted = 8080  # where people expect Airflow
    process.choose_port(settings.home, "airflow", wanted)


def _launch(settings: Settings) -> None:
    stop(settings)  # what a killed supervisor left behind
    home = folder(settings)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)  # Airflow writes a configuration with keys there
    _choose_port(settings)
    write_private(home / "passwords.json", json.dumps({USER: password(settings)}))
    env = environment(settings)
    _migrate(home, env)
    log = home / "supervisor.log"
    log.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "mercato.services.airflow_supervisor",
        str(home),
        env["AIRFLOW__API__PORT"],
    ]
    process.spawn(command, log=log, pid_file=home / "pid", env=env)


def _migrate(home: Path, env: dict[str, str]) -> None:
    log = home / "migrate.log"
    command = [str(Path(sys.executable).with_name("airflow")), "db", "migrate"]
    with log.open("wb") as out:
        code = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=home, check=False
        ).returncode
    if code:
        raise ServiceWontStart(f"Airflow's database can't be migrated: {_tail(log)}", f"read {log}")


def _last_words(home: Path) -> str:
    """What the supervisor said last, and the end of the log that it names."""
    said = _tail(home / "supervisor.log", lines=1) or "the supervisor exited without a word"
    named = Path(said.rpartition("its log is ")[2])
    return f"{said}\n    {_tail(named)}" if named.suffix == ".log" else said


def _tail(log: Path, *, lines: int = 3) -> str:
    words = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return "\n    ".join(words[-lines:])


def _direct() -> urllib.request.OpenerDirector:
    """Without the user's proxy: the server is on this machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
