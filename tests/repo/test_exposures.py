"""What dbt's docs say of the dashboards is what the dashboards read."""

import re
from collections import Counter

import yaml

from mercato.dashboards.catalogue import DASHBOARDS
from mercato.dashboards.panel import Dashboard
from mercato.settings import ROOT

MODELS = ROOT / "dbt_project" / "models"
EXPOSURES = MODELS / "reports" / "_exposures.yml"
#: A table in the SQL of a variable.
TABLE = re.compile(r"\b(?:reports|ops)\.\w+")


def exposed() -> dict[str, Counter[str]]:
    """The tables of each exposure, by its name."""

    def table(reference: str) -> str:
        match re.findall(r"'(\w+)'", reference):
            case [model]:
                return f"reports.{model}"
            case [schema, name]:
                return f"{schema}.{name}"
        raise AssertionError(reference)

    exposures = yaml.safe_load(EXPOSURES.read_text("utf-8"))["exposures"]
    return {one["name"]: Counter(map(table, one["depends_on"])) for one in exposures}


def read(dashboard: Dashboard) -> set[str]:
    """The tables of its panels and of what a reader can choose."""
    texts = [panel.query.table for panel in dashboard.panels] + [one.sql for one in dashboard.variables]
    return {found for text in texts for found in TABLE.findall(text)}


def test_each_dashboard_is_an_exposure_of_the_tables_that_it_reads() -> None:
    known = exposed()
    for dashboard in DASHBOARDS:
        name = dashboard.uid.replace("-", "_")
        assert known[name] == Counter(read(dashboard)), f"set depends_on of {name} in {EXPOSURES.name}"


def test_the_report_reads_what_its_dashboards_read() -> None:
    drawn = set().union(*(read(dashboard) for dashboard in DASHBOARDS if not dashboard.live))
    assert exposed()["report"] == Counter(drawn)


def test_the_exports_are_all_reports() -> None:
    reports = [path.stem for layer in ("reports", "daily") for path in (MODELS / layer).rglob("*.sql")]
    assert exposed()["exports"] == Counter(f"reports.{name}" for name in reports)


def test_no_exposure_is_of_something_that_is_gone() -> None:
    assert exposed().keys() == {one.uid.replace("-", "_") for one in DASHBOARDS} | {"report", "exports"}
