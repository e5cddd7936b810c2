"""`mercato demo` as a newcomer runs it: services, Airflow and all, twice, and beside data of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mercato.settings import PREFIX, ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Iterator[Run]:
    """The real command in a home of its own."""
    home = ROOT / ".mercato" / f"test-{os.getpid()}-demo"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment["MERCATO_HOME"] = str(home)
    mercato = str(Path(sys.executable).with_name("mercato"))

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [mercato, *words], env=environment, capture_output=True, text=True, check=False, timeout=600
        )

    yield command
    command("down", "--discard")
    shutil.rmtree(home, ignore_errors=True)


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def traded(totals: dict[str, int]) -> dict[str, int]:
    """Without the currencies in which there was nothing: a table of refunds doesn't know them."""
    return {currency: amount for currency, amount in totals.items() if amount}


def test_the_demo_proves_its_numbers_twice_and_never_mixes_them_with_others(run: Run) -> None:
    first = summary(run("demo", "--days", "3", "--faults", "0.05", "--json"))
    second = summary(run("demo", "--days", "3", "--faults", "0.05", "--json"))
    for found in (first, second):
        assert found["verified"] is True
        assert Path(found["report"]).read_text("utf-8").startswith("<!doctype html>")
        assert found["ledger"]["residual"] == found["ledger"]["in_flight"] == 0
        assert [kind for kind, count in found["faults"].items() if not count] == ["very_late"]  # needs weeks
        assert sum(found["truth"]["orders"].values()) > 0
        assert len(found["truth"]["net_revenue"]) > 3, "several currencies"
        for kpi, tables in found["kpis"].items():
            for table, totals in tables.items():
                assert traded(totals) == traded(found["truth"][kpi]), f"{kpi} in {table}"
    assert second["ledger"] == first["ledger"]

    status = json.loads(run("status", "--json").stdout)
    assert {service["state"] for service in status.values()} == {"up"}

    assert run("generate", "--days", "1", "--sessions-per-day", "5").returncode == 0
    assert run("consume", "--until-empty").returncode == 0
    before = json.loads(run("verify", "--json").stdout)["ledger"]
    refused = run("demo", "--days", "3")
    assert refused.returncode == 1
    assert "the warehouse holds data of kafka:events" in refused.stderr
    assert json.loads(run("verify", "--json").stdout)["ledger"] == before
