"""Settings: one `MERCATO_*` environment, nested by `__`, and `.env` of the checkout if there.

Guarantee: a misspelt or unreadable setting is an error that names it, never a silent default.
Run alone: `python -m mercato.settings` prints the settings in force, secrets hidden.
"""

import difflib
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mercato.errors import WrongUse

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "MERCATO_"


class Warehouse(BaseModel, extra="forbid"):
    """Where Postgres is. Without `host` it is the local service that `mercato up` starts.

    With `password` everything is done as `user`; without it each command is its own role, with the password that
    MERCATO_SECRETS has for it.
    """

    host: str | None = None
    port: int = Field(5432, ge=1, le=65535)
    database: str = "warehouse"
    user: str = "mercato"
    password: SecretStr | None = None
    sslmode: str = "prefer"
    sslrootcert: Path | None = Field(None, description="file of the authority that verify-full trusts")


class Kafka(BaseModel, extra="forbid"):
    """Where the broker is. Without `bootstrap_servers` it is the local service."""

    bootstrap_servers: str | None = None
    topic: str = "events"
    partitions: int = Field(3, ge=1)
    group: str = "mercato"
    linger_ms: int = Field(
        500, ge=0, description="how long `mercato generate` waits for more before it sends a batch"
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = Field(
        None, description="file of the authority that the brokers' certificates are from"
    )


class Ingestion(BaseModel, extra="forbid"):
    """When a batch is closed: whichever of rows, bytes and seconds comes first."""

    batch_rows: int = Field(6_000, ge=1)
    batch_bytes: int = Field(8_000_000, ge=1)
    batch_seconds: float = Field(0.5, gt=0)
    max_record_bytes: int = Field(1_000_000, ge=1, description="larger records are quarantined: too_large")
    fetch_wait_ms: int = Field(200, ge=1, description="how long the broker holds back that there is nothing")
    stalled_seconds: int = Field(300, ge=1, description="`mercato lag` fails when nothing was loaded so long")


class Retention(BaseModel, extra="forbid"):
    """What `mercato maintain` drops. Without `raw_months` no event."""

    raw_months: int | None = Field(None, ge=1, description="months of raw events kept before this one")
    log_days: int = Field(30, ge=1, description="days that logs and records of runs are kept")


class Backup(BaseModel, extra="forbid"):
    """Where `mercato backup` writes, and whether `mercato maintain` calls it."""

    folder: Path = ROOT / "backups"
    keep: int | None = Field(
        None, ge=1, description="backups kept by `mercato maintain`; without it, it makes none"
    )


class Airflow(BaseModel, extra="forbid"):
    """How Airflow runs the DAGs; whatever else Airflow can be told is an AIRFLOW__* variable, as its users know it."""

    executor: str = "LocalExecutor"
    parallelism: int = Field(2, ge=2, description="tasks at once; locally each is a process of 46 MB")


class Alerts(BaseModel, extra="forbid"):
    """Who is told, by Airflow that a DAG's run failed and by Grafana that an alert fired; without an address nobody."""

    webhook: str | None = Field(
        None, description="gets a POST of JSON with `text`, as Slack, Teams and Mattermost take"
    )
    email: str | None = Field(None, description="addresses, with commas between them")
    slack: str | None = Field(None, description="a Slack incoming webhook, of Grafana's alerts")
    sender: str = "mercato@localhost"
    smtp_host: str = "localhost"
    smtp_port: int = Field(25, ge=1, le=65535)
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_starttls: bool = False


class Lineage(BaseModel, extra="forbid"):
    """Where OpenLineage events of the models go; without either nowhere."""

    file: Path | None = Field(None, description="one JSON object a line is appended")
    url: str | None = Field(
        None, description="each is a POST of JSON, such as http://marquez:5000/api/v1/lineage"
    )


class Proof(BaseModel, extra="forbid"):
    """What the nightly proof compares with."""

    truth: Path | None = Field(
        None, description="truth file of `mercato generate`, of all that was ever sent"
    )


class Local(BaseModel, extra="forbid"):
    """Ports of the local services; without one, a free port is taken and kept."""

    postgres_port: int | None = Field(None, ge=1, le=65535)
    kafka_port: int | None = Field(None, ge=1, le=65535)
    airflow_port: int | None = Field(None, ge=1, le=65535)
    grafana_port: int | None = Field(None, ge=1, le=65535)


class Settings(BaseSettings):
    """All settings. `home` holds the local state: data, logs, ports, generated secrets.

    `environment` sets two stacks on one server apart: with `staging` the database is `warehouse_staging`, the topic
    `events_staging` and the consumer group `mercato_staging`, unless they are set themselves.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", env_file=ROOT / ".env", extra="ignore"
    )

    home: Path = ROOT / ".mercato"
    environment: str = Field("", pattern=r"^[a-z][a-z0-9_]{0,30}$|^$")
    secrets: Path | None = Field(
        None, description="folder of secrets, a file each, as `mercato init` makes it"
    )
    warehouse: Warehouse = Warehouse()
    kafka: Kafka = Kafka()
    ingestion: Ingestion = Ingestion()
    retention: Retention = Retention()
    backup: Backup = Backup()
    local: Local = Local()
    airflow: Airflow = Airflow()
    alerts: Alerts = Alerts()
    lineage: Lineage = Lineage()
    proof: Proof = Proof()

    @model_validator(mode="after")
    def _set_apart(self) -> "Settings":
        if self.environment:
            for section, field in (("warehouse", "database"), ("kafka", "topic"), ("kafka", "group")):
                part: BaseModel = getattr(self, section)
                if field not in part.model_fields_set:
                    name = f"{getattr(part, field)}_{self.environment}"
                    setattr(self, section, part.model_copy(update={field: name}))
        return self


def names() -> list[str]:
    """Every environment variable that is a setting."""
    found = []
    for field, info in Settings.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [f"{PREFIX}{field}__{sub}".upper() for sub in kind.model_fields]
        else:
            found.append(f"{PREFIX}{field}".upper())
    return found


def load() -> Settings:
    """Read the settings.

    Raises:
        WrongUse: a name is unknown, a value doesn't fit, or `.env` can't be read.
    """
    known = names()
    for name in [*os.environ, *_env_file_names()]:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            cure = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(known)}"
            raise WrongUse(f"there is no setting {name}", cure)
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "__".join(str(part) for part in first["loc"]).upper()
        raise WrongUse(
            f"{name} is {first['input']!r}: {first['msg']}", "correct it in the environment or .env"
        ) from None


def _env_file_names() -> list[str]:
    path = ROOT / ".env"
    try:
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(
            f"{path} can't be read: {error}", "make it a readable UTF-8 file of NAME=value lines"
        ) from None
    names = []
    for number, line in enumerate(lines, 1):
        words = line.strip().removeprefix("export ")
        if not words or words.startswith("#"):
            continue
        name, equals, _ = words.partition("=")
        if not equals:
            raise WrongUse(f"{path}:{number}: {line!r} is not NAME=value", "correct or remove the line")
        names.append(name.strip())
    return names


if __name__ == "__main__":
    print(load().model_dump_json(indent=2))
