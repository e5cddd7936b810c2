"""One order, from the generator to a report row, through every part in between; then everything, proved."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mercato.postgres import Connection, connect
from mercato.services import endpoints
from mercato.settings import Settings

Mercato = Callable[..., subprocess.CompletedProcess[str]]
END = "2026-11-01"


@pytest.fixture
def truth(tmp_path: Path, mercato: Mercato) -> Path:
    """Three days of a shop with faults, sent, loaded and transformed; the path of its truth."""
    path = tmp_path / "truth.json"
    for words in (
        ["generate", "--days", "3", "--end", END, "--seed", "7", "--faults", "0.05", "--truth", str(path)],
        ["consume", "--until-empty"],
        ["transform"],
    ):
        done = mercato(*words)
        assert done.returncode == 0, done.stderr
    return path


def events(tmp_path: Path, mercato: Mercato) -> list[dict]:
    """The same history as a file, read without any of our code."""
    words = ["--days", "3", "--end", END, "--seed", "7", "--faults", "0.05"]
    assert mercato("generate", *words, "--to", "files", "--out", str(tmp_path)).returncode == 0
    found = []
    for line in (tmp_path / "events.ndjson").read_bytes().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def test_an_order_arrives_in_the_reports_as_the_generator_made_it(
    topic: str, truth: Path, tmp_path: Path, mercato: Mercato, warehouse: Connection
) -> None:
    sent = events(tmp_path, mercato)
    loaded = {row[0] for row in warehouse.execute("select message_id from raw.events").fetchall()}
    orders = [one for one in sent if one.get("event") == "Order Completed" and one.get("messageId") in loaded]
    order = next(one for one in orders if one["properties"]["currency"] == "EUR")
    said = order["properties"]
    at = datetime.fromisoformat(order["timestamp"])

    kept = warehouse.execute(
        "select event, user_id, timestamp, properties from raw.events where message_id = %s",
        [order["messageId"]],
    ).fetchone()
    assert kept == ("Order Completed", order["userId"], at, said)

    gross = sum(round(line["price"] * 100) * line["quantity"] for line in said["products"])
    fact = warehouse.execute(
        "select user_id, ordered_at, currency, lines, gross_revenue_minor, discount_minor, total_minor "
        "from marts.fct_orders where order_id = %s",
        [said["order_id"]],
    ).fetchone()
    discount, total = round(said.get("discount", 0) * 100), round(said["total"] * 100)
    assert fact == (order["userId"], at, "EUR", len(said["products"]), gross, discount, total)

    lines = warehouse.execute(
        "select product_id, quantity, unit_price_minor from marts.fct_order_lines "
        "where order_id = %s order by line_number",
        [said["order_id"]],
    ).fetchall()
    assert lines == [
        (line["product_id"], line["quantity"], round(line["price"] * 100)) for line in said["products"]
    ]

    day = at.astimezone(UTC).date()
    that_day = {
        one["properties"]["order_id"]: one["properties"]
        for one in orders
        if one["properties"]["currency"] == "EUR" and datetime.fromisoformat(one["timestamp"]).date() == day
    }
    report = warehouse.execute(
        "select orders, gross_revenue from reports.rpt_daily_sales where day = %s and currency = 'EUR'", [day]
    ).fetchone()
    assert report is not None
    cents = sum(round(p["price"] * 100) * p["quantity"] for one in that_day.values() for p in one["products"])
    assert (report[0], report[1] * 100) == (len(that_day), cents)


def test_everything_is_proved_and_each_wrong_number_is_caught_and_named(
    truth: Path, mercato: Mercato, settings: Settings
) -> None:
    proved = mercato("verify", "--truth", str(truth), "--json")
    assert proved.returncode == 0, proved.stdout
    verdict = json.loads(proved.stdout)
    assert verdict["verified"] is True
    assert verdict["ledger"]["residual"] == 0
    faults = json.loads(truth.read_text())["faults"]
    missing = {kind for kind, many in faults.items() if not many}
    assert missing == {"very_late"}  # three days are too short for it
    assert mercato("verify").returncode == 0  # without a truth: the books, and the tables with each other

    def spoil(statement: str) -> tuple[int, list[str], int]:
        """Run a statement, verify with the truth and without, undo it."""
        table = statement.split()[2 if statement.startswith("delete") else 1]
        with connect(endpoints.warehouse(settings), autocommit=True) as connection:
            connection.execute(f"create table public.good as table {table}")
            connection.execute(statement)
            done = mercato("verify", "--truth", str(truth), "--json")
            alone = mercato("verify")
            connection.execute(f"truncate {table}")
            connection.execute(f"insert into {table} select * from public.good")
            connection.execute("drop table public.good")
        return done.returncode, json.loads(done.stdout)["differences"], alone.returncode

    one = "where ctid = (select min(ctid) from"
    code, differences, alone = spoil(f"delete from raw.events {one} raw.events)")
    assert (code, alone) == (1, 1)
    assert any("raw.events: kafka:" in line and "rows are there" in line for line in differences)

    code, differences, alone = spoil(
        f"update marts.fct_order_lines set unit_price_minor = unit_price_minor + 1 {one} marts.fct_order_lines)"
    )
    assert (code, alone) == (1, 1)
    assert any(line.startswith("marts.fct_order_lines: order ") for line in differences)

    code, differences, alone = spoil(
        f"update marts.fct_order_lines set gross_minor = gross_minor + 1 {one} marts.fct_order_lines)"
    )
    assert (code, alone) == (1, 1)
    assert any(line.startswith("marts.fct_orders: order ") for line in differences)
    assert any(line.startswith("marts.fct_order_lines: gross_revenue on 2026-10-") for line in differences)

    code, differences, alone = spoil(f"delete from marts.fct_sessions {one} marts.fct_sessions)")
    assert (code, alone) == (1, 1)
    assert any(line.startswith("marts.fct_sessions: sessions on 2026-10-") for line in differences)

    # A hundredth, of yen too: no rounding hides it.
    code, differences, _ = spoil(
        f"update reports.rpt_daily_sales set refunds = refunds + 0.01 {one} reports.rpt_daily_sales)"
    )
    assert code == 1
    assert any("reports.rpt_daily_sales: refunds on 2026-10-" in line for line in differences)

    assert mercato("verify", "--truth", str(truth)).returncode == 0, "the undo must leave nothing"


def test_events_loaded_after_the_models_were_built_are_said_to_be_missing_in_them(
    truth: Path, mercato: Mercato
) -> None:
    more = ["generate", "--days", "1", "--end", "2026-10-01", "--seed", "8", "--sessions-per-day", "5"]
    assert mercato(*more).returncode == 0
    in_flight = mercato("verify", "--truth", str(truth), "--json")
    assert in_flight.returncode == 1
    assert json.loads(in_flight.stdout)["ledger"]["in_flight"] > 0
    assert mercato("consume", "--until-empty").returncode == 0
    done = mercato("verify", "--truth", str(truth))
    assert done.returncode == 1
    assert "events were loaded since they were built" in done.stderr
