"""Settings: one `MERCATO_*` environment, nested by `__`, and `.env` of the checkout if there.

Guarantee: a misspelt or unreadable setting is an error that names it, never a silent default.
Run alone: `python -m mercato.settings` prints the settings in force, secrets hidden.
"""

import difflib
import os
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from mercato.errors import WrongUse

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "MERCATO_"


class Warehouse(BaseModel, extra="forbid"):
    """Where Postgres is. Without `host` it is the local service that `mercato up` starts."""

    host: str | None = None
    port: int = Field(5432, ge=1, le=65535)
    database: str = "warehouse"
    user: str = "mercato"
    password: SecretStr | None = None
    sslmode: str = "prefer"


class Kafka(BaseModel, extra="forbid"):
    """Where the broker is. Without `bootstrap_servers` it is the local service."""

    bootstrap_servers: str | None = None
    topic: str = "events"
    partitions: int = Field(3, ge=1)
    group: str = "mercato"


class Ingestion(BaseModel, extra="forbid"):
    """When a batch is closed: whichever of rows, bytes and seconds comes first."""

    batch_rows: int = Field(10_000, ge=1)
    batch_bytes: int = Field(8_000_000, ge=1)
    batch_seconds: float = Field(0.5, gt=0)
    max_record_bytes: int = Field(1_000_000, ge=1, description="larger records are quarantined: too_large")


class Retention(BaseModel, extra="forbid"):
    """What `mercato maintain` drops. Without `raw_months` nothing."""

    raw_months: int | None = Field(None, ge=1, description="months of raw events kept before this one")


class Alerts(BaseModel, extra="forbid"):
    """Whom Grafana tells: addresses that are not set are not told."""

    email: str = ""
    webhook: str = ""
    slack: str = Field("", description="a Slack incoming webhook")


class Local(BaseModel, extra="forbid"):
    """Ports of the local services; without one, a free port is taken and kept."""

    postgres_port: int | None = Field(None, ge=1, le=65535)
    kafka_port: int | None = Field(None, ge=1, le=65535)
    airflow_port: int | None = Field(None, ge=1, le=65535)
    grafana_port: int | None = Field(None, ge=1, le=65535)


class Settings(BaseSettings):
    """All settings. `home` holds the local state: data, logs, ports, generated secrets."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", env_file=ROOT / ".env", extra="ignore"
    )

    home: Path = ROOT / ".mercato"
    warehouse: Warehouse = Warehouse()
    kafka: Kafka = Kafka()
    ingestion: Ingestion = Ingestion()
    retention: Retention = Retention()
    alerts: Alerts = Alerts()
    local: Local = Local()


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
