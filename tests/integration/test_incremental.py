"""Incremental = full refresh, row for row: whatever came in whatever order, wherever runs were cut or killed."""

import itertools
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from data_generator.config import Config
from ingestion.batch import Batch
from ingestion.warehouse import write_batch
from mercato.commands.full_refresh import compare_table, drop_copy
from mercato.postgres import Connection, connect, sql
from mercato.services import dbt, dbt_process, endpoints
from mercato.settings import Settings
from tests import streams
from tests.events import NOW, event, raw

EXAMPLES = int(os.environ.get("INCREMENTAL_EXAMPLES", "5"))
START = datetime(2026, 10, 30, 22, 0, tzinfo=UTC)  # near midnight, near a month's end
MODELS = (
    "stg_events", "int_events_sessionized", "int_visitors", "int_orders", "int_product_attributes", "fct_sessions",
    "fct_orders", "fct_order_touches", "fct_customer_days", "dim_customers", "rpt_daily_sales", "rpt_daily_customers",
    "fct_sales_hourly", "fct_product_interactions_daily", "fct_refund_lines", "fct_inventory_daily", "dim_campaigns",
)  # fmt: skip
#: Where a run can be held up, to be killed there: a model's rows being written, or written and not yet in the books.
TABLES = (
    "staging.stg_events", "intermediate.int_events_sessionized", "intermediate.int_orders", "marts.fct_sessions",
    "marts.fct_order_touches", "marts.dim_customers", "marts.fct_inventory_daily", "reports.rpt_daily_sales",
    "reports.rpt_daily_stock", "ops.model_reads", "ops.model_changes",
)  # fmt: skip


class Project:
    """The dbt project in this process, parsed once for the real tables and once for the copy."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.connection = connect(endpoints.warehouse(settings), autocommit=True)
        self.environment = {
            **dbt.environment(settings), "DBT_TARGET_PATH": str(folder), "DBT_LOG_PATH": str(folder),
        }  # fmt: skip
        os.environ.update(self.environment)
        self.position = 0
        self.real, self.copy = (
            dbtRunner(manifest=self._parse(folder / name, prefix))
            for name, prefix in (("real", ""), ("copy", dbt.COPY_PREFIX))
        )

    @staticmethod
    def _words(prefix: str) -> list[str]:
        return ["--project-dir", str(dbt.PROJECT), "--vars", json.dumps({"schema_prefix": prefix}), "--quiet"]

    def _parse(self, target: Path, prefix: str) -> Any:
        done = dbtRunner().invoke(["parse", "--target-path", str(target), *self._words(prefix)])
        assert done.success, done.exception
        return done.result

    def load(self, lines: list[bytes]) -> None:
        """One batch, through the door that all events take."""
        if not lines:
            return
        batch = Batch("test", "test", {0: self.position}, max_record_bytes=1_000_000)
        for number, line in enumerate(lines):
            batch.add(0, self.position + number, line, NOW)
        self.connection.execute(
            "insert into ops.positions values ('test', 'test', 0, %s) on conflict do nothing", [self.position]
        )
        write_batch(self.connection, batch)
        self.position += len(lines)

    def run(self, *words: str) -> None:
        # The daily layer is made anew each time: it has no increments.
        done = self.real.invoke(["run", *words, "--exclude", "path:models/daily", *self._words("")])
        assert done.success, [result.message for result in done.result or [] if result.status == "error"]

    def run_killed(self, table: str) -> None:
        """Run dbt in a process of its own; SIGKILL it while it is waiting to write this table."""
        ours = self._backends()
        with connect(endpoints.warehouse(self.settings)) as blocker:
            blocker.execute(
                sql.SQL("lock table {} in exclusive mode").format(sql.Identifier(*table.split(".")))
            )
            child = subprocess.Popen(
                [str(dbt_process.program()), "run", "--exclude", "path:models/daily", *self._words("")],
                env={**os.environ, **self.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            while (
                child.poll() is None
                and not self.connection.execute(
                    "select 1 from pg_locks where not granted and relation = %s::regclass",
                    [table],
                ).fetchone()
            ):
                time.sleep(0.02)
            child.send_signal(signal.SIGKILL)
            child.wait()
        while self._backends() - ours:  # the server has noticed, and undone what was open
            time.sleep(0.02)

    def _backends(self) -> set[int]:
        return {
            pid
            for (pid,) in self.connection.execute(
                "select pid from pg_stat_activity"
                " where application_name = 'mercato-dbt' and datname = current_database()"
            ).fetchall()
        }

    def differences(self) -> list[str]:
        """The tables that a full refresh would make otherwise."""
        words = ["--full-refresh", "--exclude", "stg_load_watermark", "path:models/daily"]
        words += self._words(dbt.COPY_PREFIX)
        done = self.copy.invoke(["run", *words])
        assert done.success
        nodes = [result.node for result in done.result if result.node.resource_type == "model"]
        tables = [
            f"{node.schema.removeprefix(dbt.COPY_PREFIX)}.{node.name}"
            for node in nodes
            if node.config.materialized == "incremental"
        ]
        assert len(tables) > 20
        found = [str(one) for table in tables if (one := compare_table(self.connection, table))]
        drop_copy(self.connection)
        return found

    def rebuilt(self) -> set[str]:
        """Tables, each with its identity, which a rebuild changes."""
        return set(
            self.connection.execute(
                "select oid::regclass::text || oid from pg_class where relkind = 'r' and"
                " relnamespace::regnamespace::text in ('staging', 'intermediate', 'marts', 'reports')"
            ).fetchall()
        )


@pytest.fixture
def project(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name in dbt.environment(settings):
        monkeypatch.setenv(name, "")  # put back what was there afterwards
    yield (found := Project(settings, tmp_path))
    found.connection.close()


def at(minutes: int) -> str:
    return (START + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


minutes = st.one_of(
    st.integers(0, 60).map(lambda n: 5 * n),  # sessions that touch, merge and cross midnight
    st.integers(1, 300).map(lambda days: -1440 * days),  # months late
)
visitors = st.sampled_from(["ann", "bob", "cat"])
users = st.sampled_from([None, "u1", "u2"])
products = st.sampled_from(["p1", "p2", "p3"])
orders = st.sampled_from(["o1", "o2", "o3"])
currencies = st.sampled_from([None, "EUR", "JPY"])
lines = st.lists(
    st.fixed_dictionaries({"product_id": products, "price": st.integers(1, 20), "quantity": st.integers(1, 3)}),
    min_size=1, max_size=3,
)  # fmt: skip


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    kinds = [
        "view",
        "view",
        "page",
        "identify",
        "order",
        "order",
        "refund",
        "checkout",
        "payment",
        "stock",
        "coupon",
    ]
    kind = draw(st.sampled_from(kinds))
    more: dict[str, Any] = {
        "timestamp": at(draw(minutes)),
        "anonymousId": draw(visitors),
        "userId": draw(users),
    }
    currency = draw(currencies)
    stated = {"currency": currency} if currency else {}
    if kind == "page":
        more |= {"type": "page", "event": None, "properties": {}}
        more |= {"context": {"campaign": {"medium": draw(st.sampled_from(["email", "cpc"]))}}}
    elif kind == "identify":
        more |= {"type": "identify", "event": None, "userId": draw(st.sampled_from(["u1", "u2"]))}
        more |= {"traits": {"name": draw(st.sampled_from(["Ann", "Bob"]))}}
    elif kind == "view":
        more |= {"properties": {"product_id": draw(products), "price": draw(st.integers(1, 9)), **stated}}
    elif kind == "checkout":
        more |= {"event": "Checkout Started", "properties": {"order_id": draw(orders)}}
    elif kind == "payment":
        name = draw(st.sampled_from(["Payment Info Entered", "Payment Failed"]))
        more |= {"event": name, "properties": {"order_id": draw(orders), "payment_method": "card"}}
    elif kind == "stock":
        told = {
            "product_id": draw(products),
            "price": draw(st.integers(1, 9)),
            "reason": "restocked",
            **stated,
        }
        told |= {
            "inventory_quantity": draw(st.integers(0, 9)),
            "fulfilment_centre": draw(st.sampled_from(["a", "b"])),
        }
        more |= {"anonymousId": None, "userId": None, "event": "Product Updated", "properties": told}
    elif kind == "coupon":
        more |= {"event": "Coupon Entered", "properties": {"coupon_id": draw(st.sampled_from(["X", "Y"]))}}
    elif kind == "order":  # also the same order again: a correction
        server = draw(st.booleans())
        more |= {"anonymousId": None, "userId": "u1"} if server else {}
        more |= {
            "event": "Order Completed",
            "properties": {
                "order_id": draw(orders),
                "products": draw(lines),
                **stated,
                **draw(st.sampled_from([{}, {"coupon": "X", "discount": 2}, {"fulfilment_centre": "a"}])),
            },
        }
    else:
        amount = draw(
            st.sampled_from(
                [{}, {"subtotal": 3}, {"total": 5}, {"products": [{"product_id": "p1", "quantity": 1}]}]
            )
        )
        more |= {"event": "Order Refunded", "properties": {"order_id": draw(orders), **stated, **amount}}
    return {key: value for key, value in event(**more).items() if value is not None}


#: What a run does: a part of the models, as an analyst or a failed layer leaves them, or all until it is killed.
cuts = st.sampled_from(
    [[], ["--select", "staging"], ["--select", "staging", "intermediate"], ["--select", "marts", "reports"]]
    + [["--select", f"+{model}"] for model in MODELS] + [["--select", model] for model in MODELS]
    + [["killed", table] for table in TABLES]
)  # fmt: skip
histories = st.lists(st.tuples(st.lists(events(), min_size=1, max_size=12), cuts), min_size=2, max_size=4)


def test_any_order_of_arrival_and_any_cut_of_runs_gives_what_a_full_refresh_gives(project: Project) -> None:
    project.run()

    # Not shrunk: a run takes seconds. The failing tables and the history are printed.
    @hypothesis_settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate], deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(histories, st.integers(0, 1_000_000))
    def holds(history: list[tuple[list[dict[str, Any]], list[str]]], space: int) -> None:
        # Each example trades in names of its own, in the days of all: the warehouse is as the last one left it.
        sent: list[bytes] = []
        before = project.rebuilt()
        for batch, cut in history:
            told = [
                json.loads(raw(one).replace(b'"o', b'"%d o' % space).replace(b'"u', b'"%d u' % space))
                for one in batch
            ]
            fresh = [
                raw({**one, "anonymousId": f"{space} {one['anonymousId']}"} if "anonymousId" in one else one)
                for one in told
            ]
            project.load(fresh + sent[::3])  # and some that were there before: duplicates
            sent += fresh
            if cut[:1] == ["killed"]:
                project.run_killed(cut[1])
            else:
                project.run(*cut)
        project.run()
        assert project.rebuilt() == before  # nothing was made anew: it is the increments that are proved
        found = project.differences()
        if found:
            project.run("--full-refresh")  # the next example starts well
        assert not found

    holds()


def test_a_shop_s_history_with_every_kind_of_fault_in_five_runs_one_of_them_killed(project: Project) -> None:
    config = Config(seed=11, end=streams.END, days=40, sessions_per_day=25)
    sent = [record.line for record in streams.stream(config, 0.1) if record.line is not None]
    rng = random.Random(5)
    borders = [0, *sorted(rng.sample(range(len(sent)), 4)), len(sent)]
    project.load(sent[: borders[1]])
    project.run()
    before = project.rebuilt()
    for number, (begin, end) in enumerate(itertools.pairwise(borders[1:])):
        for first in range(begin, end, 2000):
            project.load(sent[first : min(end, first + 2000)])
        if number == 1:
            project.run_killed("ops.model_reads")
        else:
            project.run()
    assert project.rebuilt() == before
    assert project.differences() == []


def test_a_full_build_doesn_t_scatter_a_day_over_the_whole_table(project: Project) -> None:
    config = Config(seed=11, end=streams.END, days=40, sessions_per_day=25)
    sent = [record.line for record in streams.stream(config, 0.1) if record.line is not None]
    project.load(sent)
    project.run("--full-refresh")
    laid = {
        f"{node.schema}.{node.name}": node.config.get("cluster_by")
        for node in project.real.manifest.nodes.values()
        if node.config.get("cluster_by")
    }
    assert len(laid) > 20
    seen = 0
    for table, column in laid.items():
        rows, scattered = project.connection.execute(
            sql.SQL(
                "select count(*), count(*) filter (where moment < previous) from"
                " (select {0} as moment, lag({0}) over (order by ctid) as previous from {1}) as rows_in_order"
            ).format(sql.Identifier(column), sql.Identifier(*table.split(".")))
        ).fetchone() or (0, 0)
        seen += rows
        assert scattered == 0, table
    assert seen > 5_000
    # Nor does a short row that comes later go where a longer one had no place: into the end of any page of the build.
    pages = "select min((ctid::text::point)[0]), max((ctid::text::point)[0]) from staging.stg_events"
    project.connection.execute("vacuum staging.stg_events")
    _, last = project.connection.execute(pages).fetchone() or (0, 0)
    project.load([raw(event(number, timestamp=at(number))) for number in range(200)])
    project.run()
    newest = " where batch_id = (select max(batch_id) from ops.ledger)"
    first, _ = project.connection.execute(pages + newest).fetchone() or (0, 0)  # type: ignore[call-overload]
    assert first >= last > 100


def test_an_order_found_to_be_completed_earlier_leaves_the_session_that_it_was_in(project: Project) -> None:
    def order(number: int, minute: int, visitor: str) -> bytes:
        told = {"order_id": "o1", "products": [{"product_id": "p", "price": 1}]}
        return raw(
            event(number, event="Order Completed", timestamp=at(minute), anonymousId=visitor, properties=told)
        )

    for number, minute in enumerate(
        (600, 300, 0)
    ):  # each on another device, each earlier than the one before
        project.load([order(number, minute, f"device {number}")])
        project.run()
    assert project.differences() == []


def test_a_burst_of_new_events_joins_the_sessions_at_both_of_its_ends_and_none_beyond(
    project: Project,
) -> None:
    def visit(*minutes: int) -> list[int]:
        """Load the visitor's events of these minutes; how many events each of the sessions has then."""
        project.load([raw(event(minute, timestamp=at(minute))) for minute in minutes])
        project.run()
        rows = project.connection.execute("select events from marts.fct_sessions order by started_at")
        return [events for (events,) in rows.fetchall()]

    assert visit(0, 150, 400) == [1, 1, 1]
    assert visit(30, 60, 90, 120) == [6, 1]  # the pause is 30 minutes, and 30 is no more than it
    assert visit(300, 430, 461) == [6, 1, 2, 1]
    assert project.differences() == []


def test_a_price_of_a_late_day_splits_what_held_then_and_one_that_is_taken_back_joins_it_again(
    project: Project,
) -> None:
    def prices(*sent: dict[str, Any]) -> list[tuple[int, int]]:
        """Load these; each price of the product since then, and the day of the test it held from."""
        project.load([raw(one) for one in sent])
        project.run()
        rows = project.connection.execute(
            "select valid_from - %s::date, price_minor from marts.dim_product_prices order by 1",
            [START - timedelta(days=30)],
        )
        return rows.fetchall()  # type: ignore[return-value]

    def shown(number: int, day: int, price: int, minute: int = 0) -> dict[str, Any]:
        told = {"product_id": "p", "price": price, "currency": "JPY"}
        return event(number, timestamp=at(1440 * (day - 30) + minute), properties=told)

    def ordered(number: int, day: int, price: int) -> dict[str, Any]:
        line = {"product_id": "p", "price": price, "quantity": 1}
        told = {"order_id": "o", "currency": "JPY", "products": [line]}
        return event(number, event="Order Completed", timestamp=at(1440 * (day - 30)), properties=told)

    assert prices(shown(1, 0, 5), shown(2, 9, 5)) == [(0, 5)]
    assert prices(shown(3, 4, 5)) == [(0, 5)]  # the price that held anyway
    assert prices(shown(4, 4, 7, minute=9)) == [(0, 5), (4, 7), (9, 5)]
    assert prices(shown(5, 4, 5, minute=12)) == [(0, 5)]
    assert prices(shown(6, -3, 8)) == [(-3, 8), (0, 5)]
    assert prices(ordered(7, 20, 6)) == [(-3, 8), (0, 5), (20, 6)]
    # Completed before, as is found out now: the day it was thought to be of has no price left.
    assert prices(ordered(8, 15, 6)) == [(-3, 8), (0, 5), (15, 6)]
    assert prices(ordered(9, 2, 5)) == [(-3, 8), (0, 5)]
    assert project.differences() == []
    # A price that somebody deleted by hand comes back when it is asked for, though no day of it has changed.
    (key,) = project.connection.execute(
        "delete from marts.dim_product_prices where price_minor = 5 returning offer_day"
    ).fetchone() or ("",)
    assert prices() == [(-3, 8)]
    project.connection.execute(
        "insert into ops.model_keys_due values ('marts.dim_product_prices', %s)", [key]
    )
    assert prices() == [(-3, 8), (0, 5)]


def test_prices_that_come_go_and_move_in_any_order_are_those_of_all_days(project: Project) -> None:
    days_s = """
        with compared as (
            select *, lag(price_minor) over (partition by product_id, currency order by day) as before
            from marts.fct_product_prices_daily
        )
        select product_id, currency, price_minor, before, day,
            lead(day) over (partition by product_id, currency order by day) as until
        from compared where price_minor is distinct from before order by 1, 2, 5"""
    known = """
        select product_id, currency, price_minor, previous_price_minor, valid_from, valid_to
        from marts.dim_product_prices order by 1, 2, 5"""
    rng = random.Random(5)
    number, seen = 0, 0
    for _ in range(7):
        sent = []
        for _ in range(rng.choice([1, 2, 9])):
            number += 1
            told = {
                "product_id": rng.choice("pq"),
                "price": rng.randint(1, 3),
                "currency": rng.choice(["EUR", "JPY"]),
            }
            # An order of an earlier day than was known of it takes that day's price away.
            if rng.random() < 0.5:
                line = {"product_id": told.pop("product_id"), "price": told.pop("price"), "quantity": 1}
                told |= {"order_id": f"o{rng.randint(1, 4)}", "products": [line]}
            name = "Order Completed" if "order_id" in told else "Product Viewed"
            sent.append(event(number, event=name, timestamp=at(1440 * -rng.randint(1, 15)), properties=told))
        project.load([raw(one) for one in sent])
        project.run("--select", "+dim_product_prices")
        prices = project.connection.execute(known).fetchall()
        assert prices == project.connection.execute(days_s).fetchall()
        seen = max(seen, len(prices))
    assert seen > 10


def test_a_late_sale_or_count_moves_the_stock_from_its_day_to_the_next_count_and_no_further(
    project: Project,
) -> None:
    def counted(number: int, day: int, pieces: int, centre: str = "a") -> dict[str, Any]:
        told = {"product_id": "p", "inventory_quantity": pieces, "fulfilment_centre": centre}
        return event(
            number,
            event="Product Updated",
            timestamp=at(1440 * (day - 30)),
            properties=told,
            anonymousId=None,
        )

    def sold(number: int, day: int, pieces: int, order: int | None = None) -> dict[str, Any]:
        line = {"product_id": "p", "price": 1, "quantity": pieces}
        told = {"order_id": f"o{order or number}", "fulfilment_centre": "a", "products": [line]}
        return event(number, event="Order Completed", timestamp=at(1440 * (day - 30) + 9), properties=told)

    def levels(*sent: dict[str, Any]) -> list[tuple[int, int | None]]:
        """Load these; day of the test and pieces left, of the product in centre a."""
        project.load([raw({name: value for name, value in one.items() if value is not None}) for one in sent])
        project.run()
        rows = project.connection.execute(
            "select day - %s::date, on_hand from marts.fct_inventory_daily where fulfilment_centre = 'a' order by 1",
            [START - timedelta(days=30)],
        )
        return rows.fetchall()  # type: ignore[return-value]

    assert levels(counted(1, 0, 10), counted(2, 9, 10), counted(3, 0, 4, "b")) == [(0, 10), (9, 10)]
    assert levels(sold(4, 12, 1), sold(5, 3, 2)) == [(0, 10), (3, 8), (9, 10), (12, 9)]
    # Earlier than all counts nobody knows; the days after the next count stay.
    assert levels(sold(6, -5, 1), sold(7, 2, 1)) == [(-5, None), (0, 10), (2, 9), (3, 7), (9, 10), (12, 9)]
    assert levels(counted(8, 3, 5)) == [(-5, None), (0, 10), (2, 9), (3, 3), (9, 10), (12, 9)]
    # An order found to be completed before leaves the day that it was thought to be of.
    assert levels(sold(9, 1, 1, order=7)) == [(-5, None), (0, 10), (1, 9), (3, 3), (9, 10), (12, 9)]
    assert levels(counted(10, 20, 7), counted(11, -9, 3)) == [
        (-9, 3), (-5, 2), (0, 10), (1, 9), (3, 3), (9, 10), (12, 9), (20, 7),
    ]  # fmt: skip
    until = "select count(*), max(until) from marts.fct_inventory_daily where fulfilment_centre = 'a'"
    assert project.connection.execute(until).fetchone() == (8, date(9999, 12, 31))
    assert project.differences() == []


def test_a_sale_that_moves_to_another_centre_and_one_like_it_are_two_in_the_product_s_month(
    project: Project,
) -> None:
    def sold(number: int, minute: int, order: str, centre: str) -> bytes:
        line = {"product_id": "p", "price": 1, "quantity": 1}
        told = {"order_id": order, "fulfilment_centre": centre, "products": [line]}
        return raw(event(number, event="Order Completed", timestamp=at(minute), properties=told))

    def pieces(*sent: bytes) -> list[tuple[int]]:
        """Load these; pieces sold in the product's month."""
        project.load(list(sent))
        project.run()
        return project.connection.execute("select sold from marts.fct_stock_months").fetchall()  # type: ignore[return-value]

    assert pieces(sold(1, 9, "o1", "a")) == [(1,)]
    # Completed before, in another centre: a row goes, and two come that differ from it in their centre alone.
    assert pieces(sold(2, 5, "o1", "b"), sold(3, 7, "o2", "c")) == [(2,)]
    assert project.differences() == []


def test_a_renamed_product_has_its_new_name_on_each_day_that_it_was_sold(project: Project) -> None:
    def ordered(number: int, day: int, **more: str) -> dict[str, Any]:
        line = {"product_id": "p", "price": 5, "quantity": 1, **more}
        told = {"order_id": f"o{number}", "currency": "EUR", "products": [line]}
        return event(number, event="Order Completed", timestamp=at(1440 * day), properties=told)

    def names(*sent: dict[str, Any]) -> list[tuple[str | None, int]]:
        """Load these; the name of the product on each day, with its orders."""
        project.load([raw(one) for one in sent])
        project.run()
        rows = project.connection.execute(
            "select product_name, orders from reports.rpt_daily_sales_by_product order by day"
        )
        return rows.fetchall()  # type: ignore[return-value]

    assert names(ordered(1, -3), ordered(2, -1)) == [(None, 1), (None, 1)]
    assert names(ordered(3, -2, name="Teapot")) == [("Teapot", 1)] * 3
    viewed = event(4, timestamp=at(0), properties={"product_id": "p", "name": "Kettle"})
    assert names(viewed) == [("Kettle", 1)] * 3
    assert project.differences() == []


def test_a_visit_before_all_others_or_a_login_moves_first_touch_and_counts_of_each_whom_it_concerns(
    project: Project,
) -> None:
    def visit(number: int, day: int, visitor: str, source: str, user: str | None = None) -> dict[str, Any]:
        more: dict[str, Any] = {"userId": user} if user else {}
        return event(
            number, type="page", event=None, timestamp=at(1440 * (day - 30)), anonymousId=visitor, properties={},
            context={"campaign": {"medium": source}}, **more,
        )  # fmt: skip

    def persons(*sent: dict[str, Any]) -> list[tuple[str, int, int, str, str]]:
        """Load these; who there is, with visitors, sessions, first and last channel."""
        project.load([raw({name: value for name, value in one.items() if value is not None}) for one in sent])
        project.run()
        counts = "select user_id, visitors, sessions from marts.dim_customers"
        told = "select customer_id, visitors, sessions from marts.dim_persons where customer_id is not null"
        assert set(project.connection.execute(counts)) == set(project.connection.execute(told))
        rows = project.connection.execute(
            "select person_id, visitors, sessions, first_touch_channel, last_touch_channel"
            " from marts.dim_persons order by person_id"
        )
        return rows.fetchall()  # type: ignore[return-value]

    assert persons(visit(1, 5, "phone", "email"), visit(2, 9, "phone", "cpc")) == [
        ("visitor phone", 1, 2, "email", "paid")
    ]
    assert persons(visit(3, -40, "phone", "social")) == [("visitor phone", 1, 3, "social", "paid")]
    assert persons(visit(4, 7, "laptop", "referral", "u")) == [
        ("customer u", 1, 1, "referral", "referral"), ("visitor phone", 1, 3, "social", "paid"),
    ]  # fmt: skip
    assert persons(visit(5, 10, "phone", "affiliate", "u")) == [("customer u", 2, 5, "social", "affiliate")]
    # Another one's phone since: what nobody had logged in for goes with it.
    assert persons(visit(6, 12, "phone", "email", "v")) == [
        ("customer u", 2, 2, "referral", "affiliate"), ("customer v", 1, 4, "social", "email"),
    ]  # fmt: skip
    assert project.differences() == []


def test_another_query_makes_its_rows_anew_and_those_that_read_them(project: Project) -> None:
    project.load([raw(event(1, timestamp=at(0))), raw(event(2, timestamp=at(20)))])
    project.run()

    def sessions() -> tuple[int, int]:
        return project.connection.execute(
            "select (select count(*) from marts.fct_sessions), (select sum(sessions) from reports.rpt_daily_sessions)"
        ).fetchone()  # type: ignore[return-value]

    before = project.rebuilt()
    assert sessions() == (1, 1)
    subprocess.run(
        [str(dbt_process.program()), "run", "--vars", '{"session_gap_minutes": 10}', "--project-dir", str(dbt.PROJECT)],
        env={**os.environ, **project.environment}, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert sessions() == (2, 2)
    anew = {name.rstrip("0123456789") for (name,) in project.rebuilt() - before}
    assert {"marts.fct_sessions", "reports.rpt_daily_sessions"} <= anew
    assert not {"staging.stg_events", "intermediate.int_orders"} & anew


def test_two_runs_at_once_take_each_batch_once(project: Project, tmp_path: Path) -> None:
    project.load([raw(event(1))])
    project.run()
    project.load([raw(event(number)) for number in range(2, 50)])
    project.run("--select", "stg_load_watermark")
    words = [str(dbt_process.program()), "run", "--select", "stg_events+", "--project-dir", str(dbt.PROJECT)]
    words += ["--exclude", "path:models/daily"]  # dbt's own tables: two at once take each other's names
    both = [
        subprocess.Popen(
            [*words, "--target-path", str(tmp_path / name)],
            env={**os.environ, **project.environment}, stdout=subprocess.DEVNULL,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    assert [run.wait() for run in both] == [0, 0]
    project.run()
    assert project.differences() == []


def test_verify_names_each_table_that_a_full_refresh_makes_otherwise(
    mercato: Callable[..., subprocess.CompletedProcess[str]], warehouse: Connection, settings: Settings
) -> None:
    batch = Batch("test", "test", {0: 0}, max_record_bytes=1_000_000)
    for number in range(3):
        batch.add(0, number, raw(event(number, anonymousId=f"visitor {number}")), NOW)
    warehouse.execute("insert into ops.positions values ('test', 'test', 0, 0)")
    write_batch(warehouse, batch)
    assert mercato("transform").returncode == 0
    good = mercato("verify", "--full-refresh", "--json")
    assert good.returncode == 0, good.stdout
    assert json.loads(good.stdout)["tables_compared_with_full_refresh"] > 20

    warehouse.execute("update marts.fct_sessions set device = 'toaster' where anonymous_id = 'visitor 1'")
    wrong = mercato("verify", "--full-refresh", "--json")
    assert wrong.returncode == 1
    assert [line for line in json.loads(wrong.stdout)["differences"] if "full refresh" in line] == [
        "marts.fct_sessions: 1 rows that a full refresh doesn't make, 1 missing that it makes"
    ]
    assert not warehouse.execute(
        "select 1 from pg_namespace where starts_with(nspname, %s)", [dbt.COPY_PREFIX]
    ).fetchone()
