"""What each model was made from, as OpenLineage events, for a file or an address of the settings.

Guarantee: one event a model of a run, with its inputs, its output, its columns and its rows. Airflow's OpenLineage
provider sees a task, not the models that its one dbt builds, so these are made from dbt's own two files.
"""

import json
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mercato.postgres import Endpoint
from mercato.services.dbt_results import read_manifest
from mercato.settings import Lineage

PRODUCER = "https://github.com/OpenLineage/OpenLineage/tree/main/spec"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
COLUMNS = "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json"
ROWS = "https://openlineage.io/spec/facets/1-0-2/OutputStatisticsOutputDatasetFacet.json"
STATES = {"success": "COMPLETE", "error": "FAIL", "skipped": "ABORT"}
PATIENCE = 5


def emit(to: Lineage, target: Path, warehouse: Endpoint) -> int:
    """Send the events of the run whose results are in `target`; returns how many.

    Raises:
        OSError: the file can't be written, or the address doesn't take them.
    """
    if not (to.file or to.url):
        return 0
    try:
        manifest = read_manifest(target)
        results = json.loads((target / "run_results.json").read_text("utf-8"))
    except FileNotFoundError:  # dbt never came so far
        return 0
    lines = [json.dumps(event) for event in events(manifest, results, warehouse)]
    if to.file:
        to.file.parent.mkdir(parents=True, exist_ok=True)
        with to.file.open("a", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in lines)
    if to.url:
        for line in lines:
            request = urllib.request.Request(  # noqa: S310  an address of the settings
                to.url, data=line.encode(), headers={"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310
                pass
    return len(lines)


def events(
    manifest: dict[str, Any], results: dict[str, Any], warehouse: Endpoint
) -> Iterator[dict[str, Any]]:
    """An OpenLineage RunEvent for each model among the results. Pure."""
    nodes = {**manifest["nodes"], **manifest["sources"]}
    invocation = uuid.UUID(results["metadata"]["invocation_id"])
    for result in results["results"]:
        node = nodes.get(result["unique_id"])
        if node is None or node["resource_type"] != "model":
            continue
        rows = (result.get("adapter_response") or {}).get("rows_affected")
        output = _dataset(node, warehouse)
        if isinstance(rows, int) and rows >= 0:
            output["outputFacets"] = {
                "outputStatistics": {"_producer": PRODUCER, "_schemaURL": ROWS, "rowCount": rows}
            }
        yield {
            "eventType": STATES.get(result["status"], "OTHER"),
            "eventTime": max((step["completed_at"] for step in result["timing"]), default=None)
            or results["metadata"]["generated_at"],
            "run": {"runId": str(uuid.uuid5(invocation, result["unique_id"]))},
            "job": {"namespace": "mercato", "name": result["unique_id"]},
            "inputs": [
                _dataset(nodes[name], warehouse) for name in node["depends_on"]["nodes"] if name in nodes
            ],
            "outputs": [output],
            "producer": PRODUCER,
            "schemaURL": SCHEMA,
        }


def _dataset(node: dict[str, Any], warehouse: Endpoint) -> dict[str, Any]:
    fields = [
        {"name": column["name"], "type": column.get("data_type") or "", "description": column["description"]}
        for column in node["columns"].values()
    ]
    return {
        "namespace": f"postgres://{warehouse.host}:{warehouse.port}",
        "name": f"{warehouse.database}.{node['schema']}.{node.get('alias') or node['name']}",
        "facets": {"schema": {"_producer": PRODUCER, "_schemaURL": COLUMNS, "fields": fields}}
        if fields
        else {},
    }
