"""Real shops' data through the whole path: the reports say what the files say, counted by pandas."""

import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mercato.kafka_admin import Admin
from mercato.postgres import Connection
from mercato.services import dbt, endpoints
from mercato.settings import Settings
from tests import loads
from tests.events import raw
from tests.real_data import online_retail, rees46

Mercato = Callable[..., subprocess.CompletedProcess[str]]


def load(settings: Settings, records: list[bytes]) -> None:
    with Admin(endpoints.kafka(settings)) as admin:
        admin.ensure_topic(settings.kafka.topic, settings.kafka.partitions)
    loads.send(settings, list(records))
    loads.load(settings)


def transform(mercato: Mercato) -> None:
    for layer in dbt.LAYERS:
        built = mercato("transform", "--layer", layer)
        assert built.returncode == 0, built.stderr
    verified = mercato("verify")
    assert verified.returncode == 0, verified.stderr


def frame(warehouse: Connection, statement: str) -> pd.DataFrame:
    cursor = warehouse.execute(statement)
    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])


def one(warehouse: Connection, statement: str) -> Any:
    (value,) = warehouse.execute(statement).fetchone()
    return value


def quintile(values: pd.Series) -> pd.Series:
    return 1 + 5 * (values.rank(method="min").astype(int) - 1) // len(values)


@pytest.fixture
def retail(shared_data: Path) -> list[Path]:
    paths = sorted((shared_data / "online_retail").glob("*.csv.gz"))
    assert len(paths) == 68
    return paths


def test_a_gift_shop_s_three_months_with_cancellations_and_rows_that_are_there_twice(
    retail: list[Path], settings: Settings, warehouse: Connection, mercato: Mercato
) -> None:
    rows = pd.concat(
        pd.read_csv(path, dtype={"InvoiceNo": str, "StockCode": str, "CustomerID": str}) for path in retail
    )
    rows["user_id"] = rows.CustomerID.str.removesuffix(".0")
    rows["cents"] = rows.Quantity * (rows.UnitPrice * 100).round().astype(int)
    rows["at"] = pd.to_datetime(rows.InvoiceDate)
    rows["month"] = rows["at"].dt.strftime("%Y-%m")
    cancelled = rows.InvoiceNo.str.startswith("C")
    sales = rows[~cancelled & (rows.Quantity > 0)]
    assert (len(rows), rows.cents.sum(), rows.user_id.nunique()) == (105_335, 180_701_993, 1_749)
    assert rows.duplicated().sum() == 975

    records = [raw(event) for path in retail for event in online_retail.events(path)]
    load(settings, records)
    load(settings, records)  # delivered again: nothing is counted twice
    assert one(warehouse, "select count(*) from raw.events") == len(records)
    assert one(warehouse, "select count(*) from raw.quarantine") == 0
    transform(mercato)

    # Each row is a line of an order, of a cancellation, or a correction of the stock.
    lines = one(warehouse, "select count(*) from marts.fct_order_lines")
    given_back = one(warehouse, "select count(*) from staging.stg_refund_lines")
    corrections = one(warehouse, "select count(*) from raw.events where event = 'Product Updated'")
    assert (lines, given_back) == (len(sales), cancelled.sum())
    assert lines + given_back + corrections == len(rows)
    assert one(warehouse, "select count(*) from marts.dim_customers") == 1_749
    assert one(warehouse, "select sum(net_revenue) from reports.rpt_daily_sales") == Decimal("1807019.93")

    by_month = frame(
        warehouse,
        "select to_char(day, 'YYYY-MM') as month, sum(orders)::int as orders, sum(gross_revenue) * 100 as gross,"
        " sum(refunds) * 100 as refunds, sum(net_revenue) * 100 as net from reports.rpt_daily_sales group by 1",
    )
    counted = pd.DataFrame(
        {
            "orders": sales.groupby("month").InvoiceNo.nunique(),
            "gross": sales.groupby("month").cents.sum(),
            "refunds": -rows[cancelled].groupby("month").cents.sum(),
            "net": rows.groupby("month").cents.sum(),
        }
    )
    pd.testing.assert_frame_equal(
        by_month.set_index("month").sort_index().astype("int64"), counted.astype("int64")
    )

    known = sales[sales.user_id.notna()]
    first = known.groupby("user_id").month.min().rename("cohort")
    active = known.join(first, on="user_id").groupby(["cohort", "month"])
    cohorts = frame(
        warehouse,
        "select to_char(cohort_month, 'YYYY-MM') as cohort, to_char(month, 'YYYY-MM') as month, customers,"
        " active_customers, orders from reports.rpt_cohort_retention",
    ).set_index(["cohort", "month"])
    assert cohorts.active_customers.to_dict() == active.user_id.nunique().to_dict()
    assert cohorts.orders.to_dict() == active.InvoiceNo.nunique().to_dict()
    assert {cohort: many for (cohort, _), many in cohorts.customers.items()} == first.value_counts().to_dict()
    revenue = frame(
        warehouse,
        "select to_char(cohort_month, 'YYYY-MM') as cohort, to_char(month, 'YYYY-MM') as month,"
        " (gross_revenue * 100)::int as gross, (net_revenue * 100)::int as net from reports.rpt_cohort_revenue",
    ).set_index(["cohort", "month"])
    assert revenue.gross.to_dict() == active.cents.sum().to_dict()
    net = rows.join(first, on="user_id", how="inner")
    net["month"] = net[["month", "cohort"]].max(axis=1)  # cancelled before the first invoice that we have
    assert revenue.net.to_dict() == net.groupby(["cohort", "month"]).cents.sum().to_dict()

    customers = known.groupby("user_id").agg(last=("at", "max"), frequency=("InvoiceNo", "nunique"))
    customers["recency_days"] = (pd.Timestamp("2011-02-28") - customers["last"].dt.normalize()).dt.days
    customers["monetary"] = rows.groupby("user_id").cents.sum()
    customers["r_score"] = quintile(-customers.recency_days)
    customers["f_score"] = quintile(customers.frequency)
    customers["m_score"] = quintile(customers.monetary)
    rfm = frame(
        warehouse,
        "select user_id, frequency, recency_days, monetary * 100 as monetary, r_score, f_score, m_score, segment"
        " from reports.rpt_rfm",
    ).set_index("user_id")
    pd.testing.assert_frame_equal(
        rfm.drop(columns="segment").sort_index().astype("int64"),
        customers.drop(columns="last").sort_index().astype("int64"),
        check_names=False,
    )
    assert set(rfm[(rfm.r_score == 5) & (rfm.f_score >= 4)].segment) == {"champion"}

    top = customers.monetary.sort_values(ascending=False)
    best = one(
        warehouse,
        "select net_revenue * 100 from reports.rpt_revenue_concentration where subject = 'customer' and decile = 1",
    )
    assert best == int(top.head(-(-len(top) // 10)).sum())


def test_a_clickstream_s_first_thousand_events(
    shared_data: Path, settings: Settings, warehouse: Connection, mercato: Mercato
) -> None:
    path = shared_data / "rees46" / "2019-Oct_first_1000.csv"
    rows = pd.read_csv(path)
    load(settings, [raw(event) for event in rees46.events(path)])
    transform(mercato)

    assert one(warehouse, "select count(*) from marts.dim_customers") == rows.user_id.nunique() == 330
    sessions, converted = warehouse.execute(
        "select sum(sessions), sum(converted_sessions) from reports.rpt_daily_sessions"
    ).fetchone()
    bought = rows[rows.event_type == "purchase"]
    assert (sessions, converted) == (rows.user_session.nunique(), bought.user_session.nunique())
    assert sessions == 372
    orders, revenue = warehouse.execute(
        "select sum(orders), sum(net_revenue) from reports.rpt_daily_sales"
    ).fetchone()
    assert (orders, revenue) == (10, Decimal("2387.84"))
    credited = warehouse.execute(
        "select sum(first_touch_revenue), sum(last_touch_revenue), sum(linear_revenue)"
        " from reports.rpt_daily_attribution"
    ).fetchone()
    assert set(credited) == {revenue}
    visits = rows.groupby("user_session").event_type
    bounced = ((visits.size() == 1) & (visits.first() == "view")).sum()
    assert one(warehouse, "select sum(bounced_sessions) from reports.rpt_daily_sessions") == int(bounced)
