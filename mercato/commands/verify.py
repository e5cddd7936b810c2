"""`mercato verify`: do the books balance, and do the marts say what is true?"""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ingestion.ledger import Balance, add_in_flight, read_books
from ingestion.sql import query
from ingestion.stream import end_offsets
from mercato import cohorts, currencies
from mercato import settings as config
from mercato.commands.full_refresh import prove, settled
from mercato.commands.proof_tables import count_table, member_table, money_table
from mercato.errors import WrongUse
from mercato.kafka_admin import Admin
from mercato.postgres import Connection, Missing, connect
from mercato.proof import (
    DIMENSIONS,
    Figures,
    Proof,
    compare,
    compare_members,
    expected_from_truth,
    members_from_truth,
    show,
)
from mercato.services import endpoints

MOST_DIFFERENCES = 20


@dataclass(slots=True)
class Verdict:
    """The ledger's balance, the marts' proof (None before the first transform), and what differs in all."""

    balance: Balance
    proof: Proof | None
    behind: int
    differences: list[str]
    #: Tables compared with a full refresh; None where that wasn't asked for.
    refreshed: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "verified": not self.differences,
            "ledger": self.balance.counts(),
            "quarantined_by_reason": self.balance.by_reason,
            "truth": self.proof.truth if self.proof else None,
            "kpis": self.proof.totals if self.proof else {},
            "members_compared": self.proof.members if self.proof else {},
            "not_yet_transformed": self.behind,
            "tables_compared_with_full_refresh": self.refreshed,
            "differences": self.differences,
        }


@click.command(short_help="Prove the numbers; name each one that is wrong.")
@click.option(
    "--truth", type=click.Path(dir_okay=False, path_type=Path), help="Truth file of `mercato generate`."
)
@click.option(
    "--full-refresh",
    is_flag=True,
    help="Build all models anew beside these and compare each row; takes as long.",
)
@click.option(
    "--settle",
    is_flag=True,
    help="Hold off runs of the models, and let one that was cut off finish first: for a warehouse at work.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as one JSON object on stdout.")
def verify(truth: Path | None, full_refresh: bool, settle: bool, as_json: bool) -> None:
    """Prove the numbers; exit code 1 and the name of each figure where they don't hold.

    The ledger must balance with itself, with the rows and with the stream; marts and reports must agree with
    each other and, given a truth file, with the truth: by day, product, country and channel, to the cent.

    \b
    Example:
      mercato verify --truth truth.json
      mercato verify --settle --full-refresh
    """
    settings = config.load()
    with settled(settings) if settle or full_refresh else nullcontext(0) as lock:
        verdict = examine(settings, read_truth(truth) if truth else None)
        if full_refresh:
            verdict.refreshed, differing = prove(settings, lock)
            verdict.differences += map(str, differing)
    if as_json:
        click.echo(json.dumps(verdict.as_dict(), default=str))
    else:
        print_verdict(verdict)
    if verdict.differences:
        raise SystemExit(1)


def examine(settings: config.Settings, truth: dict[str, Any] | None) -> Verdict:
    """Draw the balance, read the KPIs, compare."""
    balance = draw_balance(settings)
    differences = list(balance.differences)
    if balance.residual:
        differences.append(f"ledger: {balance.residual:,} records are lost (or, below 0, counted twice)")
    with connect(endpoints.warehouse(settings), autocommit=True) as connection:
        tables, behind = _read_kpis(connection)
        if tables is not None:
            for table, order, *amounts, currency in connection.execute(
                query("orders_that_do_not_add_up")
            ).fetchall():
                own, parts = (show("gross_revenue", int(amount), currency) for amount in amounts)
                differences.append(f"{table}: order {order}: {own}, its parts say {parts} {currency}")
            if truth is not None:
                differences += _against_cohorts(connection, truth)
    if truth is not None:
        differences += _against_truth(balance, truth)
    proof = None
    if tables is not None:
        proof = compare(tables["day"], expected_from_truth(truth) if truth is not None else None)
        for name, dimension in DIMENSIONS.items():
            expected = members_from_truth(truth, dimension) if truth is not None else None
            compare_members(proof, name, dimension, tables.get(name, {}), expected)
        differences += map(str, proof.differences)
    elif truth is not None:
        differences.append("marts: there are none yet: `mercato transform`")
    if truth is not None and behind:
        differences.append(f"marts: {behind:,} events were loaded since they were built: `mercato transform`")
    return Verdict(balance, proof, behind, differences)


def _against_truth(balance: Balance, truth: dict[str, Any]) -> list[str]:
    counts = {
        name: (getattr(balance, name), truth[name]) for name in ("sent", "loaded", "duplicate", "quarantined")
    }
    for reason in sorted(balance.by_reason.keys() | truth["quarantined_by_reason"].keys()):
        counts[f"quarantined as {reason}"] = (
            balance.by_reason.get(reason, 0), truth["quarantined_by_reason"].get(reason, 0),
        )  # fmt: skip
    return [
        f"ledger: {name} {have:,}, the truth says {want:,}"
        for name, (have, want) in counts.items()
        if have != want
    ]


def _against_cohorts(connection: Connection, truth: dict[str, Any]) -> list[str]:
    try:
        rows = connection.execute(query("cohort_figures")).fetchall()
    except Missing:
        return [
            "reports: those by cohort were not made yet. They are made once a day, by Airflow's DAG `publish`, and in "
            "a new warehouse within two minutes of its first transform; at once by `mercato transform --layer daily`"
        ]
    return [str(one) for one in cohorts.compare(rows, truth)]


def draw_balance(settings: config.Settings) -> Balance:
    """The ledger's balance, with what the topics hold beyond it."""
    with connect(endpoints.warehouse(settings), autocommit=True) as connection:
        found = read_books(connection)
    servers = endpoints.kafka(settings)
    booked = {
        source.removeprefix("kafka:") for source, _, _ in found.positions if source.startswith("kafka:")
    }
    with Admin(servers) as admin:
        for name in sorted(booked | {settings.kafka.topic}):
            if topic := admin.topic(name):
                add_in_flight(found, topic, admin.start_offsets(topic), end_offsets(servers, admin, topic))
    return found


def read_truth(path: Path) -> dict[str, Any]:
    """Read a truth file.

    Raises:
        WrongUse: it can't be read or is none.
    """
    try:
        truth: dict[str, Any] = json.loads(path.read_bytes())
        if truth["truth_version"] != 2:
            raise WrongUse(
                f"{path} is of truth version {truth['truth_version']}", "write it anew: `mercato generate`"
            )
    except OSError as error:
        raise WrongUse(
            f"{path} can't be read: {error.strerror}", "`mercato generate --truth FILE` writes one"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise WrongUse(f"{path} is no truth file", "`mercato generate --truth FILE` writes one") from None
    return truth


def print_verdict(verdict: Verdict) -> None:
    """Print the two tables and the differences, on stderr."""
    console = Console(stderr=True, highlight=False)
    books = Table(title="Every record, accounted for", title_justify="left", box=None)
    for name in verdict.balance.counts():
        books.add_column(name.replace("_", " "), justify="right")
    books.add_row(*(f"{value:,}" for value in verdict.balance.counts().values()))
    console.print(books)
    if verdict.proof:
        console.print(count_table(verdict.proof))
        console.print(money_table(verdict.proof))
        console.print(member_table(verdict.proof))
    if verdict.behind:
        console.print(f"{verdict.behind:,} events are loaded but not yet in the marts: `mercato transform`")
    if verdict.refreshed is not None:
        console.print(f"{verdict.refreshed} tables compared with a full refresh, row for row")
    for line in verdict.differences[:MOST_DIFFERENCES]:
        console.print(f"[red]≠[/] {line}", soft_wrap=True)
    if len(verdict.differences) > MOST_DIFFERENCES:
        console.print(f"  and {len(verdict.differences) - MOST_DIFFERENCES} more (all of them with --json)")
    console.print("[red]not verified[/]" if verdict.differences else "[green]verified[/]")


def _read_kpis(connection: Connection) -> tuple[dict[str, Figures] | None, int]:
    """Figures by day and by each dimension, and how many events were loaded since; None before the first transform."""
    try:
        rows = connection.execute(query("kpis")).fetchall()
        (behind,) = connection.execute(query("marts_behind")).fetchone() or (0,)
    except Missing:
        return None, 0
    found: dict[str, Figures] = {"day": {}}
    for dimension, table, day, member, currency, kpi, amount in rows:
        place = day if dimension == "day" else member
        found.setdefault(dimension, {}).setdefault(table, {})[kpi, place, currency] = currencies.exact(amount)
    return found, int(behind)
