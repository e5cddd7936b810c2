"""Every panel of every dashboard on a real warehouse, as the role that Grafana has, beside the truth."""

import json
import re
import shutil
import subprocess
import uuid
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pypdf import PdfReader

from data_generator import simulate
from data_generator.config import Config, midnight
from ingestion import disk
from ingestion.batch import Batch
from ingestion.migrations import migrate
from ingestion.warehouse import positions, write_batch
from mercato import postgres as driver
from mercato.commands import report
from mercato.currencies import decimals
from mercato.dashboards.catalogue import DASHBOARDS
from mercato.dashboards.panel import Panel
from mercato.dashboards.sql import Chosen, expand, grafana_sql, report_sql
from mercato.postgres import Connection
from mercato.services import dbt, endpoints, postgres
from mercato.settings import Settings, Warehouse
from tests.conftest import TEMPLATE

DAYS = 24  # a band needs three weeks
NOW = datetime.now(UTC)
PERIOD = Chosen(NOW - timedelta(days=30), NOW + timedelta(hours=1), {"currency": ("EUR",)})
PANELS = [(dashboard, panel) for dashboard in DASHBOARDS for panel in dashboard.panels]
#: What may be empty on good data.
EMPTY = {
    "mercato-pipeline/red",
    "mercato-products/together",
    "mercato-data/outside",
    "mercato-live/delay",
    "mercato-pipeline/freshness",
}
#: Airflow's, as its listener writes them: one on time, one an hour late and red, one that runs, one of before 0009.
RUNS = """
insert into ops.dag_runs (dag_id, run_id, run_type, state, due_at, started_at, ended_at) values
    ('transform', 'a', 'asset_triggered', 'success', now() - interval '9003 s', now() - interval '9000 s', now()),
    ('publish', 'b', 'scheduled', 'failed', now() - interval '9000 s', now() - interval '5400 s', now()),
    ('backfill', 'c', 'manual', 'running', now() - interval '62 s', now() - interval '60 s', null),
    ('ingest', 'd', 'scheduled', 'success', null, now() - interval '7000 s', now());
insert into ops.task_runs (dag_id, run_id, task_id, state, try_number, started_at, ended_at, error) values
    ('transform', 'a', 'staging', 'success', 1, now() - interval '9000 s', now() - interval '8950 s', null),
    ('transform', 'a', 'marts', 'skipped', 0, null, null, null),
    ('publish', 'b', 'daily', 'failed', 2, now() - interval '5400 s', now() - interval '5390 s', 'no disk');
"""

INTEGERS, NUMBERS, TEXTS = {20, 21, 23}, {20, 21, 23, 700, 701, 1700}, {25, 1043}
DAY, TIMES = 1082, {1114, 1184}


class Loaded:
    """Takes the generator's records straight into the warehouse, in batches."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.next = connection, 0

    def send(self, records: list[Any]) -> None:
        start = positions(self.connection, "test", "test", [0])
        batch = Batch("test", "test", start, 1_000_000)
        for one in records:
            batch.add(0, self.next, one.line, NOW)
            self.next += 1
        if batch.ranges:
            write_batch(self.connection, batch)

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


@pytest.fixture(scope="module")
def built(services: Settings) -> Any:
    """A warehouse of 24 days with faults, transformed, and the truth about it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with driver.connect(
        postgres.endpoint(services, database="postgres", user=postgres.SUPERUSER), autocommit=True
    ) as root:
        root.execute(f"create database {name} owner mercato template {TEMPLATE}")
    local = postgres.endpoint(services, database=name)
    place = Warehouse(
        host=local.host, port=local.port, database=name, password=local.password, sslmode="disable"
    )
    settings = services.model_copy(update={"warehouse": place})
    with driver.connect(endpoints.warehouse(settings), autocommit=True) as connection:
        migrate(connection)  # rights on a database are not cloned with it
        disk.measure(connection, services.home)
        shop = Config(seed=3, end=midnight(NOW), days=DAYS, sessions_per_day=150, faults=0.02)
        truth = simulate.run(shop, Loaded(connection)).document()
    for layer in dbt.LAYERS:
        dbt.build(settings, layer)
    with driver.connect(endpoints.warehouse(settings), autocommit=True) as connection:
        connection.execute(RUNS)
    yield settings, truth
    with driver.connect(
        postgres.endpoint(services, database="postgres", user=postgres.SUPERUSER), autocommit=True
    ) as root:
        root.execute(f"drop database {name} with (force)")


@pytest.fixture
def reader(services: Settings, built: Any) -> Any:
    local = postgres.endpoint(services, database=built[0].warehouse.database, user=postgres.READER)
    with driver.connect(local, autocommit=True) as connection:
        yield connection


def ask(reader: Connection, panel: Panel, chosen: Chosen = PERIOD) -> tuple[list[Any], list[tuple[Any, ...]]]:
    cursor = reader.execute(expand(grafana_sql(panel), chosen))
    return list(cursor.description or ()), cursor.fetchall()


def find(uid: str, key: str) -> Panel:
    return next(panel for dashboard, panel in PANELS if (dashboard.uid, panel.key) == (uid, key))


def major(minor: int, currency: str) -> Decimal:
    return Decimal(minor) / 10 ** decimals(currency)


def counted(truth: dict[str, Any], what: str) -> dict[str, int]:
    """The truth's count by currency."""
    found: dict[str, int] = defaultdict(int)
    for row in truth["by_day"]:
        found[row["currency"]] += row[what]
    return found


def test_every_panel_gives_the_reader_what_it_draws_or_says_why_it_is_empty(built, reader) -> None:
    empty = set()
    for dashboard, panel in PANELS:
        where = f"{dashboard.uid}/{panel.key}"
        columns, rows = ask(reader, panel)
        types = {column.name: column.type_code for column in columns}
        values = panel.query.values
        if panel.kind in ("lines", "bars"):
            assert columns[0].name == "time", where
            assert types.pop("time") in TIMES, where
            if panel.query.by:
                assert types.pop("metric") in TEXTS, where
            assert [row[0] for row in rows] == sorted(row[0] for row in rows), where
        else:
            for dim in panel.query.by:
                fits = {"text": TEXTS, "moment": TIMES, "day": {DAY}, "count": INTEGERS}[dim.unit]
                assert types.pop(dim.alias) in fits, where
        if panel.matrix:
            assert list(types) == [heading for _, heading in panel.matrix.cells], where
        else:
            assert list(types) == [value.name for value in values], where
            for value in values:
                assert types[value.name] in (INTEGERS if value.unit == "count" else NUMBERS) | {1700}, where
        assert set(types.values()) <= NUMBERS, where
        for value in values:
            if value.unit == "share" and not panel.matrix and not value.name.startswith("growth"):
                place = [column.name for column in columns].index(value.name)
                assert all(row[place] is None or 0 <= row[place] <= 1 for row in rows), where
        if not any(cell is not None for row in rows for cell in row[len(row) - len(types) :]):
            empty.add(where)
    assert empty <= EMPTY


def test_the_numbers_are_the_truths(built, reader) -> None:
    _, truth = built
    orders = counted(truth, "orders")
    units = counted(truth, "units")
    for money in truth["totals"]["by_currency"]:
        currency = money["currency"]
        chosen = Chosen(PERIOD.start, PERIOD.end, {"currency": (currency,)})

        def one(key: str, uid: str = "mercato-sales", chosen: Chosen = chosen) -> Any:
            ((value,),) = ask(reader, find(uid, key), chosen)[1]
            return value

        assert one("orders") == orders[currency]
        assert one("units") == units[currency]
        assert one("gross") == major(money["gross_revenue_minor"], currency)
        assert one("net") == major(money["net_revenue_minor"], currency)
        assert one("refunded", "mercato-products") == major(money["refunds_minor"], currency)
        by_country = dict(ask(reader, find("mercato-sales", "countries"), chosen)[1])
        assert by_country == {
            row["country"]: major(row["net_revenue_minor"], currency)
            for row in truth["by_country"]
            if row["currency"] == currency and row["country"] in by_country
        }
        daily: dict[date, Decimal] = defaultdict(Decimal)
        for row in truth["by_day"]:
            if row["currency"] == currency:
                daily[date.fromisoformat(row["day"])] = major(row["net_revenue_minor"], currency)
        shown = ask(reader, find("mercato-sales", "net-by-day"), chosen)[1]
        assert {moment.date(): net for moment, net, _ in shown} == daily
    totals = truth["totals"]
    ((visits,),) = ask(reader, find("mercato-funnel", "visits"))[1]
    ((conversion,),) = ask(reader, find("mercato-sales", "conversion"))[1]
    assert visits == totals["sessions"]
    assert round(float(conversion), 6) == round(totals["converted_sessions"] / totals["sessions"], 6)
    books = ask(reader, find("mercato-pipeline", "books"))[1]
    assert books == [("test", truth["sent"], truth["loaded"], truth["duplicate"], truth["quarantined"], 0, 0)]
    reasons = dict(ask(reader, find("mercato-pipeline", "quarantine"))[1])
    assert reasons == {reason: count for reason, count in truth["quarantined_by_reason"].items() if count}
    events = ask(
        reader, find("mercato-data", "events"), Chosen(PERIOD.start - timedelta(days=60), PERIOD.end, {})
    )[1]
    assert sum(count for _, count, _ in events) == truth["loaded"]


def test_runs_that_began_late_are_seen_and_those_of_unknown_delay_are_not_on_time(built, reader) -> None:
    late = {dag: delay for _, dag, delay in ask(reader, find("mercato-pipeline", "schedule-delay"))[1]}
    assert late == {"transform": 3, "publish": 3600, "backfill": 2}
    runs = ask(reader, find("mercato-pipeline", "dag-runs"))[1]
    assert {dag: delay for _, dag, _, _, delay, _ in runs} == late | {"ingest": None}


def test_each_fixed_word_of_the_data_has_its_french(built, reader) -> None:
    missing = {
        (f"{dashboard.uid}/{panel.key}", row[place])
        for dashboard, panel in PANELS
        for place, dim in enumerate(panel.query.by, start=panel.kind in ("lines", "bars"))
        if dim.french and dim.alias != "coupon"  # a name, or that there is none
        for row in ask(reader, panel)[1]
        if row[place] is not None and row[place] not in dim.french
    }
    assert missing == set()


def test_a_tile_has_the_figure_of_every_choice_and_of_all(built, reader) -> None:
    _, truth = built
    names = ("currency", "country")
    everything = replace(PERIOD, values={})
    cursor = reader.execute(report_sql(find("mercato-sales", "orders"), everything))
    assert [column.name for column in cursor.description] == [*names, "orders"]
    found = {row[:2]: row[2] for row in cursor.fetchall()}
    wanted = {(row["currency"], row["country"]): row["orders"] for row in truth["by_country"]}
    wanted |= {(currency, ""): orders for currency, orders in counted(truth, "orders").items()}
    assert {key: orders for key, orders in found.items() if orders} == {
        key: orders for key, orders in wanted.items() if orders
    }
    visits = reader.execute(report_sql(find("mercato-funnel", "visits"), everything)).fetchall()
    by_channel = {channel: sessions for channel, country, sessions in visits if country == "" and channel}
    assert by_channel == {row["channel"]: row["sessions"] for row in truth["by_channel"] if row["sessions"]}
    assert [sessions for channel, country, sessions in visits if (channel, country) == ("", "")] == [
        truth["totals"]["sessions"]
    ]


def test_the_roll_ups_equal_a_recount_of_raw(built) -> None:
    settings, _ = built
    migration = Path("ingestion/sql/migrations/0009_due_and_prices.sql").read_text()
    prices = re.search(r"insert into ops\.price_hours [^;]*?(select.*?);", migration, re.DOTALL)
    assert prices
    with driver.connect(endpoints.warehouse(settings), autocommit=True) as connection:
        kept = connection.execute(
            "select hour, product_id, currency, 'before 0009', 0, sum(lines), sum(price_minor) from ops.price_hours"
            " where hour > now() - interval '34 days' group by 1, 2, 3"
        ).fetchall()
        counted = [
            row for row in connection.execute(prices[1]).fetchall() if row[0] > NOW - timedelta(days=34)
        ]
        assert sorted(kept) == sorted(counted)
        assert len(kept) > 500
    migration = Path("ingestion/sql/migrations/0007_dashboards.sql").read_text()
    recount = re.search(r"insert into ops\.event_hours [^;]*?(select.*?);", migration, re.DOTALL)
    assert recount
    with driver.connect(endpoints.warehouse(settings), autocommit=True) as connection:
        counted = connection.execute(recount[1]).fetchall()
        kept = connection.execute(
            "select hour, event, currency, 'before 0007', 0, sum(events), sum(late), sum(amount_minor)"
            " from ops.event_hours group by 1, 2, 3"
        ).fetchall()
        live = connection.execute("select sum(events), sum(amount_minor) from ops.live_events").fetchone()
        assert sorted(kept) == sorted(counted)
        assert live == (sum(row[5] for row in kept), sum(row[7] for row in kept))
        assert live[1] > 0


@pytest.mark.parametrize(
    "statement",
    [
        "select * from raw.events",
        "select * from marts.fct_orders",
        "select * from staging.stg_events",
        "delete from reports.rpt_daily_sales",
        "update ops.ledger set loaded = 0",
        "insert into ops.disk values ('a', 'b', 1, 1)",
        "create table reports.mine (id int)",
        "create temporary table mine (id int)",
        "select ops.grant_roles()",
        "set role mercato",
        "set default_transaction_read_only = off; delete from reports.rpt_daily_sales",
    ],
)
def test_the_reader_can_do_nothing_else(reader, statement) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
        reader.execute(statement)


def test_a_question_that_takes_too_long_is_ended(reader) -> None:
    assert reader.execute("show statement_timeout").fetchone() == ("1min",)


@pytest.fixture
def written(built, tmp_path) -> dict[str, Any]:
    settings, _ = built
    return {
        lang: report.write(
            settings,
            PERIOD.start,
            PERIOD.end,
            lang,
            "EUR",
            tmp_path / f"{lang}.html",
            tmp_path / f"{lang}.pdf",
        )
        for lang in ("en", "fr")
    }


def test_the_paper_says_the_marts_numbers_in_both_languages(built, written) -> None:
    settings, _ = built
    with driver.connect(endpoints.warehouse(settings), autocommit=True) as connection:
        gross, orders = connection.execute(
            "select sum(gross_revenue_minor), count(*) from marts.fct_orders where currency = 'EUR'"
        ).fetchone()
        (sessions,) = connection.execute("select count(*) from marts.fct_sessions").fetchone()
    for lang in ("en", "fr"):
        assert set(written[lang]["empty"]) <= EMPTY
        pages = PdfReader(written[lang]["pdf"]).pages
        text = " ".join(page.extract_text() for page in pages).replace("\u202f", " ")
        for number in (f"{gross / 100:,.2f}", f"{orders:,}", f"{sessions:,}"):
            assert (number if lang == "en" else number.replace(",", " ").replace(".", ",")) in text
        assert {tuple(map(float, page.mediabox[2:])) for page in pages} == {(842.0, 595.0)}


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """<script>
addEventListener("error", (event) => document.body.append("FAILED " + event.message));
addEventListener("unhandledrejection", (event) => document.body.append("FAILED " + event.reason));
(async () => {
  const drawn = async (times) => {
    for (let i = 0; i < 1200 && Number(document.body.dataset.drawn ?? 0) < times; i++) {
      await new Promise((done) => setTimeout(done, 50));
    }
  };
  const choose = (name, value) => {
    const choice = document.querySelector(`select[data-filter=${name}]`);
    choice.value = value;
    choice.dispatchEvent(new Event("change"));
  };
  const noted = (panel) => {
    const note = document.querySelector(`#mercato-${panel} .whole`);
    return note.hidden ? "" : note.textContent;
  };
  const tile = (panel) => {
    const card = document.querySelector(`#mercato-${panel}`);
    return card.querySelector(".empty").hidden ? card.querySelector("b").textContent : "none";
  };
  const seen = () => ({
    charts: document.querySelectorAll(".chart svg").length,
    orders: tile("sales-orders"),
    visits: tile("funnel-visits"),
    notes: [noted("sales-orders"), noted("sales-hours"), noted("pipeline-residual")],
    countries: document.querySelectorAll("#mercato-sales-countries .mark-rect path").length,
  });
  await drawn(1);
  const found = [seen()];
  choose("currency", "GBP");
  await drawn(2);
  found.push(seen());
  choose("currency", "EUR");
  choose("country", "FR");
  await drawn(4);
  found.push(seen());
  choose("channel", "paid");
  await drawn(5);
  found.push(seen());
  const made = document.createElement("pre");
  made.id = "probe";
  made.textContent = JSON.stringify(found);
  document.body.append(made);
})();
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_page_opens_without_a_network_and_its_filters_work(built, written, lang, tmp_path) -> None:
    _, truth = built
    page = tmp_path / "probe.html"
    page.write_text(Path(written[lang]["html"]).read_text("utf-8") + PROBE, "utf-8")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND",
         "--enable-logging=stderr", "--virtual-time-budget=90000", f"--user-data-dir={tmp_path / 'profile'}",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    assert "FAILED" not in done.stdout.rpartition("</script>")[2]
    first, pounds, france, paid = json.loads(
        re.search(r'<pre id="probe">(.*)</pre>', done.stdout)[1].replace("&quot;", '"')
    )
    orders = counted(truth, "orders")
    assert (first["orders"], pounds["orders"]) == (str(orders["EUR"]), str(orders["GBP"]))
    french = next(one for one in truth["by_country"] if (one["currency"], one["country"]) == ("EUR", "FR"))
    assert france["orders"] == paid["orders"] == str(french["orders"])
    visits = {"en": f"{truth['totals']['sessions']:,}"}
    visits["fr"] = visits["en"].replace(",", "\u202f")
    assert first["visits"] == visits[lang]
    assert len({first["visits"], france["visits"], paid["visits"]}) == 3
    whole = ["Of all countries", "Of all channels"]
    if lang == "fr":
        whole = ["Tous pays confondus", "Tous canaux confondus"]
    assert first["notes"] == pounds["notes"] == ["", "", ""]
    assert france["notes"] == ["", whole[0], ""]
    assert paid["notes"] == [whole[1], " · ".join(whole), ""]
    assert first["charts"] > 20
    assert first["countries"] > france["countries"] == pounds["countries"] == 1


def test_an_empty_warehouse_has_a_report_that_says_so(mercato, warehouse, tmp_path) -> None:
    done = mercato("report", "--html", str(tmp_path / "a.html"), "--pdf", str(tmp_path / "a.pdf"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["currency"] == ""
    text = " ".join(page.extract_text() for page in PdfReader(tmp_path / "a.pdf").pages)
    assert "No order in this period and currency" in text
    assert "Not built yet" in text


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--pdf", "a.pdf", "--currency", "QQQ"],
        ["--pdf", "a.pdf", "--from", "2026-02-01", "--to", "2026-01-01"],
    ],
)
def test_a_report_that_can_not_be_is_wrong_use(mercato, words) -> None:
    done = mercato("report", *words)
    assert done.returncode == 2
    assert "cure:" in done.stderr
