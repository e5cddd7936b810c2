"""The same models on DuckDB: every mart and report has the same rows as on Postgres."""

import subprocess
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from data_generator.config import Config
from ingestion.batch import Batch
from ingestion.warehouse import write_batch
from mercato.postgres import Connection
from mercato.services import dbt, dbt_process
from mercato.settings import Settings
from tests import duckdb_copy, streams

BATCH = 5_000
#: A small shop has no pair of products in five orders.
VARS = ("--vars", '{"affinity_min_orders": 1}')
TABLES = """
    select table_schema || '.' || table_name from information_schema.tables
    where table_schema in ('marts', 'reports') and table_type = 'BASE TABLE'
"""


def load(connection: Connection, lines: list[bytes]) -> None:
    connection.execute("insert into ops.positions values ('shop', 'shop', 0, 0)")
    for first in range(0, len(lines), BATCH):
        batch = Batch("shop", "shop", {0: first}, max_record_bytes=1_000_000)
        for number, line in enumerate(lines[first : first + BATCH], first):
            batch.add(0, number, line, streams.NOW)
        write_batch(connection, batch)


def rows(connection: Any, table: str) -> Counter[tuple[Any, ...]]:
    """The rows of a table, columns by name: decimals and moments compare by value in Python."""
    schema, _, name = table.partition(".")
    columns = connection.execute(
        "select column_name from information_schema.columns"
        f" where table_schema = '{schema}' and table_name = '{name}' order by 1"
    ).fetchall()
    names = ", ".join(f'"{column}"' for (column,) in columns)
    return Counter(tuple(row) for row in connection.execute(f"select {names} from {table}").fetchall())


def test_every_mart_and_report_has_the_same_rows_on_duckdb(warehouse, settings, tmp_path):
    shop = Config(seed=11, end=streams.END, days=150, sessions_per_day=30, faults=0.05)
    lines = [record.line for record in streams.stream(shop, 0.05) if record.line is not None]
    load(warehouse, lines)
    built = subprocess.run(
        [str(dbt_process.program()), "run", *VARS], cwd=dbt.PROJECT, env=environment(settings, tmp_path),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout[-3000:]
    path = tmp_path / "shop.duckdb"
    duckdb_copy.copy_sources(warehouse, path)
    for _ in range(2):  # the second run replaces what the first has made
        built = duckdb_copy.run_models(path, *VARS)
        assert built.returncode == 0, built.stdout[-5000:]
    with duckdb.connect(str(path), read_only=True) as other:
        other.execute("set timezone = 'UTC'")
        assert (
            other.execute("select count(*) from raw.events").fetchone()
            == warehouse.execute("select count(*) from raw.events").fetchone()
        )
        tables = sorted(table for (table,) in warehouse.execute(TABLES).fetchall())
        assert tables == sorted(table for (table,) in other.execute(TABLES).fetchall())
        assert len(tables) > 40
        wrong = {}
        for table in tables:
            here, there = rows(warehouse, table), rows(other, table)
            assert here, f"{table} is empty: nothing is compared"
            if here != there:
                wrong[table] = (list((here - there).items())[:2], list((there - here).items())[:2])
        assert not wrong


def environment(settings: Settings, folder: Path) -> dict[str, str]:
    return {
        **dbt.environment(settings),
        "DBT_TARGET_PATH": str(folder / "pg"),
        "DBT_LOG_PATH": str(folder / "pg"),
    }


class Macros:
    """The macros of numbers as a warehouse gets them."""

    def __init__(self, warehouse: str) -> None:
        found: dict[str, Any] = {}

        def dispatch(name: str) -> Any:
            return found.get(f"{warehouse}__{name}") or found[f"default__{name}"]

        text = "".join(
            (dbt.PROJECT / "macros" / f"{name}.sql").read_text("utf-8")
            for name in ("numbers", "money", "ratio")
        )
        module = (
            jinja2.Environment(autoescape=False)
            .from_string(
                text, globals={"adapter": SimpleNamespace(dispatch=dispatch), "var": lambda _: "USD"}
            )
            .module
        )
        found.update({name: getattr(module, name) for name in dir(module)})
        self.ratio, self.quotient, self.major_units = found["ratio"], found["quotient"], found["major_units"]

    def query(self, part: int, whole: int, minor: int, orders: int) -> str:
        mean = self.major_units(self.quotient(f"cast({minor} as bigint)", f"nullif({orders}, 0)"), "'EUR'")
        yen = self.major_units(f"cast({minor} as bigint)", "'JPY'")
        return f"select {self.ratio(f'cast({part} as bigint)', f'cast({whole} as bigint)')}, {mean}, {yen}"


def rounded(value: Fraction, decimals: int) -> Decimal:
    with localcontext(prec=100):
        exact = Decimal(value.numerator) / Decimal(value.denominator)
        return exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


@pytest.fixture(scope="module")
def engine():
    with duckdb.connect() as connection:
        yield connection


@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    part=st.integers(-(10**13), 10**13), whole=st.integers(0, 10**4).map(lambda n: n * 20) | st.integers(0, 10**13),
    minor=st.integers(-(10**15), 10**15), orders=st.sampled_from([0, 1, 3, 4, 7, 8, 40, 160, 2_000, 99_991]),
)  # fmt: skip
@example(part=1, whole=160, minor=1001, orders=4)  # ties, which a double has just below or above
@example(part=-1, whole=160, minor=-1001, orders=4)
@example(part=10**9, whole=3, minor=0, orders=0)
def test_a_share_is_rounded_alike_on_both_and_as_on_paper(warehouse, engine, part, whole, minor, orders):
    here = warehouse.execute(Macros("postgres").query(part, whole, minor, orders)).fetchone()
    there = engine.execute(Macros("duckdb").query(part, whole, minor, orders)).fetchone()
    share = Fraction(part, whole) if whole else None
    bound = Decimal("99999.9999")
    paper = (
        None if share is None else max(-bound, min(bound, rounded(share, 4))),
        rounded(Fraction(minor, orders * 100), 3) if orders else None,
        Decimal(minor),
    )
    assert here == there == paper
