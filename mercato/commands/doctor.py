"""`mercato doctor`: what is wrong with this machine, checkout or stack, and the cure of each."""

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

import click
import psutil

from mercato import settings as config
from mercato.commands.doctor_stack import Finding, ports, postgres_and_tables, stream
from mercato.services import airflow, process
from mercato.settings import ROOT, Settings


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
    ports,
    postgres_and_tables,
    stream,
    _airflow,
)
