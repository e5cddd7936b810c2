"""A backup of the warehouse: one file of pg_dump's and a manifest that says what is in it.

Guarantee: dump and manifest are of one snapshot, so the sums in the manifest are those of the dump, however much is
loaded meanwhile. A backup appears whole or not at all. A file that isn't the one that was written is refused.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mercato import __version__
from mercato.errors import MercatoError, WrongUse
from mercato.postgres import Endpoint, connect
from mercato.services import postgres

DUMP, MANIFEST = "warehouse.dump", "manifest.json"
#: Copies of all tables, and builds of changes, are made again sooner than restored.
SKIPPED = ("full_refresh_*", "ci_*")


def write(endpoint: Endpoint, folder: Path, facts: str, schema: str) -> tuple[Path, dict[str, Any]]:
    """Write a backup below `folder`; returns its folder and its manifest.

    `facts`: query of one row of the sums to remember, columns named; `schema`: query of the migrations applied.

    Raises:
        MercatoError: pg_dump failed.
    """
    now = datetime.now(UTC)
    target = folder / f"{endpoint.database}-{now:%Y%m%dT%H%M%SZ}"
    draft = target.with_name(target.name + ".new")
    draft.mkdir(parents=True, mode=0o700)
    try:
        with connect(endpoint, application="mercato backup") as connection:
            connection.execute("set transaction isolation level repeatable read, read only")
            (snapshot, server), *_ = connection.execute(
                "select pg_export_snapshot(), current_setting('server_version')"
            ).fetchall()
            found = connection.execute(facts)
            names = [column.name for column in found.description or []]
            sums = dict(zip(names, found.fetchone() or (), strict=True))
            migrations = [name for (name,) in connection.execute(schema).fetchall()]
            skipped = [f"--exclude-schema={pattern}" for pattern in SKIPPED]
            _run(endpoint, "pg_dump", "--format=custom", "--compress=gzip:1", "--no-owner", "--no-privileges",
                 f"--snapshot={snapshot}", *skipped, f"--file={draft / DUMP}")  # fmt: skip
        manifest = {
            "made_at": now.isoformat(timespec="seconds"),
            "database": endpoint.database,
            "mercato": __version__,
            "postgres": server,
            "migrations": migrations,
            "sums": sums,
            "bytes": (draft / DUMP).stat().st_size,
            "sha256": _digest(draft / DUMP),
        }
        (draft / DUMP).chmod(0o600)
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=2, default=str) + "\n", "utf-8")
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target, manifest


def read_manifest(backup: Path) -> dict[str, Any]:
    """The manifest of a backup whose dump is the one that was written.

    Raises:
        WrongUse: it is no backup, or not whole.
    """
    try:
        manifest: dict[str, Any] = json.loads((backup / MANIFEST).read_text("utf-8"))
        digest = _digest(backup / DUMP)
    except (OSError, ValueError) as error:
        raise WrongUse(
            f"{backup} is no backup: {error}", "name a folder that `mercato backup` made"
        ) from None
    if digest != manifest.get("sha256"):
        raise WrongUse(
            f"{backup / DUMP} isn't the file that was written", "take another backup or copy it again"
        )
    return manifest


def load(endpoint: Endpoint, backup: Path, jobs: int) -> None:
    """Restore the dump into an empty database, as its owner.

    Raises:
        MercatoError: pg_restore failed; the database is to be made anew.
    """
    _run(endpoint, "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", f"--jobs={jobs}",
         f"--dbname={endpoint.database}", str(backup / DUMP), database=False)  # fmt: skip


def _run(endpoint: Endpoint, program: str, *words: str, database: bool = True) -> None:
    command = [
        str(_program(program)), f"--host={endpoint.host}", f"--port={endpoint.port}", f"--username={endpoint.user}",
        "--no-password", *([f"--dbname={endpoint.database}"] if database else []), *words,
    ]  # fmt: skip
    env = {
        **os.environ,
        "PGPASSWORD": endpoint.password,  # not in the command line, which every user of the machine sees
        "PGSSLMODE": endpoint.sslmode,
        **({"PGSSLROOTCERT": endpoint.sslrootcert} if endpoint.sslrootcert else {}),
    }
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = " / ".join(done.stderr.strip().splitlines()[-3:])
        cure = "look at the space left and the server's log"
        if "SSL support is not compiled in" in said:
            cure = "install PostgreSQL's own client programs, version 18, on the PATH: those of the wheel have no TLS"
        raise MercatoError(f"{program} failed: {said}", cure)


def _program(name: str) -> Path:
    """The client program on the PATH if it is new enough (it may have TLS), else the wheel's."""
    if found := shutil.which(name):
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.search(r"\) (\d+)", said)
        if version and int(version[1]) >= 18:
            return Path(found)
    return postgres.binaries() / name


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
