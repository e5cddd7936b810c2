"""A KPI has one definition: MetricFlow's SQL of it gives what every report shows."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlEngine
from metricflow.sql.render.postgres import PostgresSQLSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

from mercato import currencies
from mercato.postgres import Connection
from mercato.services import dbt, dbt_process
from mercato.settings import Settings

Run = Callable[..., subprocess.CompletedProcess[str]]


class Renderer:
    """What MetricFlow wants to know of a server in order to explain a query; it never asks it anything."""

    sql_engine_type: ClassVar = SqlEngine.POSTGRES
    sql_plan_renderer: ClassVar = PostgresSQLSqlPlanRenderer()

    def render_bind_parameter_key(self, bind_parameter_key: str) -> str:
        return f"%({bind_parameter_key})s"


@pytest.fixture
def target(settings: Settings, tmp_path: Path) -> Path:
    """Where dbt has parsed the project to."""
    subprocess.run(
        [str(dbt_process.program()), "parse", "--project-dir", str(dbt.PROJECT), "--target-path", str(tmp_path)],
        check=True, stdout=subprocess.DEVNULL, env={**os.environ, **dbt.environment(settings)},
    )  # fmt: skip
    return tmp_path


@pytest.fixture
def manifest(target: Path) -> dict[str, Any]:
    return json.loads((target / "manifest.json").read_text())  # type: ignore[no-any-return]


@pytest.fixture
def engine(target: Path) -> MetricFlowEngine:
    semantic = parse_manifest_from_dbt_generated_manifest((target / "semantic_manifest.json").read_text())
    return MetricFlowEngine(SemanticManifestLookup(semantic), Renderer())  # type: ignore[arg-type]


def kpis(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for metric in manifest["metrics"].values():
        yield metric["name"], metric["config"]["meta"]


def test_each_kpi_says_its_formula_unit_owner_and_invariants_that_exist(manifest: dict[str, Any]) -> None:
    tests = {node["name"] for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    assert len(manifest["metrics"]) > 15
    for metric in manifest["metrics"].values():
        meta = metric["config"]["meta"]
        assert metric["description"].strip().endswith("."), metric["name"]
        assert meta["unit"] in ("count", "share", "money"), metric["name"]
        assert meta["owner"], metric["name"]
        assert set(meta["invariants"]) <= tests, f"{metric['name']}: no such test"


def test_each_report_shows_the_kpi_as_it_is_defined(
    mercato: Run,
    settings: Settings,
    warehouse: Connection,
    manifest: dict[str, Any],
    engine: MetricFlowEngine,
) -> None:
    assert mercato("generate", "--days", "40", "--sessions-per-day", "60", "--seed", "3").returncode == 0
    assert mercato("consume", "--until-empty").returncode == 0
    assert mercato("transform").returncode == 0
    compared = 0
    for name, meta in kpis(manifest):
        if "report" not in meta:
            continue
        table, column = meta["report"].split(".")
        by_currency = table == "rpt_daily_sales"
        keys = ["metric_time__day", *(["currency"] if by_currency else [])]
        shown = {
            tuple(row[:-1]): row[-1]
            for row in warehouse.execute(
                f"select day{', currency' if by_currency else ''}, {column} from reports.{table}"
            ).fetchall()
        }
        defined = {
            (row[0].date(), *row[1:-1]): row[-1]
            for row in warehouse.execute(sql_of(engine, name, keys)).fetchall()
        }
        assert any(shown.values()), f"{name}: nothing was shown"
        for key, value in shown.items():
            wanted = Decimal(defined.get(key) or 0)
            if meta["unit"] == "money":
                wanted /= 10 ** currencies.decimals(key[1])
            if meta["unit"] == "share":  # floats here, numeric there
                assert abs(Decimal(value or 0) - wanted) <= Decimal("0.00005000001"), (name, key)
            else:
                assert Decimal(value or 0) == wanted.quantize(Decimal("0.001"), ROUND_HALF_UP), (name, key)
            compared += 1
    assert compared > 100


def sql_of(engine: MetricFlowEngine, metric: str, keys: list[str]) -> str:
    """MetricFlow's query of one metric."""
    request = MetricFlowQueryRequest.create(metric_names=[metric], group_by_names=keys)
    return str(engine.explain(request).sql_statement.sql)
