"""What `docker-compose.yml` needs before it can start: secrets as files, and `.env`.

Guarantee: a secret is generated once and never overwritten; each file has mode 0600 and belongs to the user that the
containers run as, which is never root. Standard library only, so it runs before anything is installed:
`python3 -m mercato.services.stack [FOLDER]`.
"""

import base64
import json
import os
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from mercato.services.secrets import fernet_key, secret

#: As whom containers run if the one who runs this is root: nobody's number, so no file of the machine is theirs.
UNPRIVILEGED = 10_001
#: Name to bytes of randomness.
GENERATED = {
    "postgres-postgres": 24,
    "postgres-mercato": 24,
    "postgres-mercato_loader": 24,
    "postgres-mercato_transformer": 24,
    "postgres-mercato_reader": 24,
    "postgres-airflow": 24,
    "airflow-admin": 12,
    "airflow-api": 24,
    "airflow-jwt": 48,
    "grafana-admin": 12,
    "grafana-key": 24,
}
HEADER = "# Written by `mercato init`; lines of your own stay. Read by docker compose and by mercato.\n"


#: Who is told by Grafana's alerts; to be edited. Grafana doesn't start without somebody.
NOBODY = {"uid": "mercato-email", "type": "email", "settings": {"addresses": "nobody@localhost"}}
TOLD = {"apiVersion": 1, "contactPoints": [{"orgId": 1, "name": "mercato", "receivers": [NOBODY]}]}


def prepare(folder: Path, environment: str = "") -> list[str]:
    """Make what is missing in FOLDER/secrets and FOLDER/.env; returns the names of what was made.

    `environment`: as in the settings, for the names of databases.
    """
    suffix = f"_{environment}" if environment else ""
    there = {path.name for path in (folder / "secrets").glob("*")}
    value = {name: secret(folder, name, size=size) for name, size in GENERATED.items()}
    derived: dict[str, Callable[[], str]] = {
        "airflow-fernet": fernet_key,
        "airflow-passwords.json": lambda: json.dumps({"admin": value["airflow-admin"]}),
        "airflow-database": lambda: _url("postgresql+psycopg2", "airflow", value, f"airflow{suffix}"),
        "airflow-connections.json": lambda: json.dumps(
            {"warehouse": _url("postgres", "mercato_reader", value, f"warehouse{suffix}")}
        ),
        "grafana-contact-points": lambda: json.dumps(TOLD, indent=2),
    }
    for name, make in derived.items():
        secret(folder, name, make=make)
    uid, gid = _owner()
    for path in [folder / "secrets", *(folder / "secrets").iterdir()]:
        if os.geteuid() == 0:
            os.chown(path, uid, gid)
    made = sorted({path.name for path in (folder / "secrets").iterdir()} - there)
    return made + _add_lines(folder / ".env", {
        "STACK_UID": str(uid),
        "STACK_GID": str(gid),
        "KAFKA_CLUSTER_ID": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "x"),
    })  # fmt: skip


def _owner() -> tuple[int, int]:
    return (UNPRIVILEGED, UNPRIVILEGED) if os.geteuid() == 0 else (os.geteuid(), os.getegid())


def _url(scheme: str, user: str, value: dict[str, str], database: str) -> str:
    return f"{scheme}://{user}:{quote(value[f'postgres-{user}'], safe='')}@postgres:5432/{database}"


def _add_lines(path: Path, lines: dict[str, str]) -> list[str]:
    text = path.read_text("utf-8") if path.exists() else HEADER
    known = {line.partition("=")[0].strip() for line in text.splitlines()}
    missing = {name: value for name, value in lines.items() if name not in known}
    if missing:
        end = "" if not text or text.endswith("\n") else "\n"
        path.write_text(text + end + "".join(f"{name}={value}\n" for name, value in missing.items()), "utf-8")
    return [f".env: {name}" for name in missing]


if __name__ == "__main__":
    for name in prepare(
        Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve(), os.environ.get("MERCATO_ENVIRONMENT", "")
    ):
        print(name)
