"""`mercato doctor`: what is wrong with this machine, checkout or stack, and the cure of each."""

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import click
import psutil

from ingestion.migrations import pending
from mercato import postgres as warehouse
from mercato import settings as config
from mercato.commands.verify import draw_balance
from mercato.errors import MercatoError
from mercato.kafka_admin import Admin
from mercato.services import airflow, broker, endpoints, process
from mercato.settings import ROOT, Settings


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, what was seen, and the cure where it is a problem."""

    check: str
    seen: str
    cure: str | None = None


@click.command(short_help="Find what is wrong, and give the cure.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON array on stdout.")
def doctor(as_json: bool) -> None:
    """Check the machine, the checkout and the services; give each problem's cure. Exit code 1 if there is one.

    \b
    Example:
      mercato doctor
    """
    settings = config.load()
    findings = [finding for check in CHECKS for finding in check(settings)]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            mark = click.style("problem", fg="red") if finding.cure else click.style("ok     ", fg="green")
            click.echo(f"{mark} {finding.check}: {finding.seen}", err=True)
            if finding.cure:
                click.echo(f"          cure: {finding.cure}", err=True)
    if any(finding.cure for finding in findings):
        raise SystemExit(1)


def _machine(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info < (3, 11)
    yield Finding("python", version, "install Python 3.11 or newer, then `make clean`" if old else None)
    place = settings.home if settings.home.exists() else ROOT
    free = shutil.disk_usage(place).free
    low = free < process.DISK_NEEDED
    yield Finding(
        "disk", f"{free / 1e9:.1f} GB free at {place}",
        f"free {process.DISK_NEEDED / 1e9:.0f} GB, or set MERCATO_HOME to another disk" if low else None,
    )  # fmt: skip
    memory = psutil.virtual_memory().available
    yield Finding(
        "memory",
        f"{memory / 1e9:.1f} GB available",
        "close something: Airflow and dbt need 1.5 GB" if memory < 1.5e9 else None,
    )


def _checkout(settings: Settings) -> Iterator[Finding]:
    lock, installed = ROOT / "requirements.lock", ROOT / ".venv" / ".ready"
    if lock.exists() and installed.exists():
        stale = lock.stat().st_mtime > installed.stat().st_mtime
        yield Finding(
            "packages",
            "older than requirements.lock" if stale else "as locked",
            "`make up`" if stale else None,
        )
    if not settings.home.exists():
        yield Finding("state", f"{settings.home} doesn't exist yet", "`mercato up`")
        return
    writable = os.access(settings.home, os.W_OK)
    yield Finding(
        "state", f"{settings.home} {'can' if writable else 'can not'} be written",
        None if writable else f"`sudo chown -R $USER {settings.home}`",
    )  # fmt: skip
    for path in (settings.home / "secrets").glob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            yield Finding("secrets", f"{path} can be read by others (mode {mode:o})", f"`chmod 600 {path}`")


def _postgres(settings: Settings) -> Iterator[Finding]:
    try:
        address = endpoints.warehouse(settings)
        with warehouse.connect(address, autocommit=True) as connection:
            missing = pending(connection)
        seen = (
            f"{address} answers, {f'{len(missing)} migrations to apply' if missing else 'schema up to date'}"
        )
        yield Finding("postgres", seen, "`mercato up`" if missing else None)
    except MercatoError as error:
        yield Finding("postgres", error.what, error.cure)


def _kafka(settings: Settings) -> Iterator[Finding]:
    try:
        servers = endpoints.kafka(settings)
        with Admin(servers) as admin:
            topic = admin.topic(settings.kafka.topic)
        if topic is None:
            yield Finding(
                "kafka", f"{servers} answers, but has no topic {settings.kafka.topic}", "`mercato up`"
            )
        else:
            memory = " (local, in memory only)" if broker.running(settings) else ""
            yield Finding("kafka", f"{servers} answers, topic {topic.name} is there{memory}")
            found = draw_balance(settings)
            wrong = found.residual or found.differences
            seen = f"{found.in_flight:,} in flight, residual {found.residual}, {len(found.differences)} differences"
            yield Finding("ledger", seen, "`mercato verify` names them" if wrong else None)
    except MercatoError as error:
        yield Finding("kafka", error.what, error.cure)
    except warehouse.Missing:
        pass  # not migrated: the check of Postgres says so


def _airflow(settings: Settings) -> Iterator[Finding]:
    if not airflow.running(settings):
        yield Finding("airflow", "not started (`mercato up --airflow`)")
        return
    parts = airflow.health(settings)
    well = bool(parts) and set(parts.values()) == {"healthy"}
    yield Finding(
        "airflow", f"{airflow.url(settings)}: {parts or 'no answer'}",
        None if well else f"read {airflow.folder(settings)}/*.log; `mercato down`, then `mercato up --airflow`",
    )  # fmt: skip


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _machine,
    _checkout,
    _postgres,
    _kafka,
    _airflow,
)
