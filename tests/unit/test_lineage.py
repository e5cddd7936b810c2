"""Lineage: an OpenLineage event a model, with what it was made from."""

import json
import uuid
from pathlib import Path

from mercato.postgres import Endpoint
from mercato.services import lineage
from mercato.settings import Lineage

WAREHOUSE = Endpoint("db.example", 5432, "warehouse", "mercato", "secret")
MODEL, VIEW, SOURCE = "model.mercato.fct_orders", "model.mercato.base_events", "source.mercato.raw.events"
COLUMNS = {"order_id": {"name": "order_id", "data_type": "text", "description": "The order."}}


def node(kind: str, schema: str, name: str, *upstream: str) -> dict:
    return {
        "resource_type": kind, "schema": schema, "alias": name, "name": name, "columns": {},
        "depends_on": {"nodes": list(upstream)},
    }  # fmt: skip


MANIFEST = {
    "nodes": {
        MODEL: {**node("model", "marts", "fct_orders", VIEW, SOURCE), "columns": COLUMNS},
        VIEW: node("model", "staging", "base_events", SOURCE),
        "test.mercato.t": node("test", "marts", "t", MODEL),
    },
    "sources": {SOURCE: node("source", "raw", "events")},
}
RESULTS = {
    "metadata": {"invocation_id": str(uuid.UUID(int=7)), "generated_at": "2026-11-21T10:00:01Z"},
    "results": [
        {
            "unique_id": MODEL, "status": "success", "adapter_response": {"rows_affected": 3},
            "timing": [{"completed_at": "2026-11-21T10:00:00Z"}],
        },
        {"unique_id": "test.mercato.t", "status": "pass", "timing": []},
        {"unique_id": VIEW, "status": "error", "timing": []},
    ],
}  # fmt: skip


def test_each_model_tells_what_it_read_and_how_many_rows_it_wrote():
    order, view = lineage.events(MANIFEST, RESULTS, WAREHOUSE)
    assert (order["eventType"], view["eventType"]) == ("COMPLETE", "FAIL")
    assert [one["name"] for one in order["inputs"]] == [
        "warehouse.staging.base_events",
        "warehouse.raw.events",
    ]
    (output,) = order["outputs"]
    assert (output["namespace"], output["name"]) == (
        "postgres://db.example:5432",
        "warehouse.marts.fct_orders",
    )
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 3
    assert output["facets"]["schema"]["fields"] == [
        {"name": "order_id", "type": "text", "description": "The order."}
    ]
    assert order["run"]["runId"] != view["run"]["runId"]
    assert "secret" not in json.dumps([order, view])


def test_events_are_appended_to_the_file_of_the_settings_and_without_one_go_nowhere(tmp_path: Path):
    target = tmp_path / "target"
    target.mkdir()
    to = Lineage(file=tmp_path / "lineage" / "events.jsonl")
    assert lineage.emit(to, target, WAREHOUSE) == 0  # dbt left no results
    for name, content in (("manifest", MANIFEST), ("run_results", RESULTS)):
        (target / f"{name}.json").write_text(json.dumps(content))
    assert lineage.emit(Lineage(), target, WAREHOUSE) == 0
    assert lineage.emit(to, target, WAREHOUSE) + lineage.emit(to, target, WAREHOUSE) == 4
    assert to.file
    assert [json.loads(line)["job"]["name"] for line in to.file.read_text().splitlines()] == [MODEL, VIEW] * 2
