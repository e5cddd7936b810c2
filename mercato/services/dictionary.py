"""The data dictionary, from what dbt knows of the models: `python -m mercato.services.dictionary` writes it.

Guarantee: the same models give the same text, so a test sees when it is stale. dbt parses the project; no warehouse.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mercato.errors import MercatoError
from mercato.settings import ROOT

PROJECT = ROOT / "dbt_project"
TARGET = ROOT / "docs" / "data-dictionary.md"
LAYERS = ("reports", "marts", "intermediate", "staging")
HEAD = """# Data dictionary

Written from the models by `make docs`; change the descriptions in `dbt_project/models`, not here. Money is in
major units with its currency beside it unless a name ends in `_minor`; times are UTC; a day is a day of UTC.

"""


def manifest() -> dict[str, Any]:
    """What dbt knows of the project.

    Raises:
        MercatoError: dbt can't parse it.
    """
    address = ("HOST", "PORT", "DATABASE", "USER", "PASSWORD", "SSLMODE")
    with tempfile.TemporaryDirectory() as folder:
        env = {
            **os.environ,
            **{f"MERCATO_WAREHOUSE__{name}": "1" for name in address},  # asked for, not used
            "DBT_PROFILES_DIR": str(PROJECT),
            "DBT_TARGET_PATH": folder,
            "DBT_LOG_PATH": folder,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
            "DO_NOT_TRACK": "1",
        }
        command = [str(Path(sys.executable).with_name("dbt")), "parse", "--no-partial-parse"]
        done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MercatoError(
                f"dbt can't parse the project: {done.stdout[-500:]}", "`cd dbt_project && dbt parse`"
            )
        found: dict[str, Any] = json.loads((Path(folder) / "manifest.json").read_text("utf-8"))
        return found


def render(found: dict[str, Any]) -> str:
    """The dictionary as Markdown."""
    models = [node for node in found["nodes"].values() if node["resource_type"] == "model"]
    parts = [HEAD]
    for layer in LAYERS:
        here = sorted((node for node in models if node["schema"] == layer), key=lambda node: node["name"])
        if not here:
            continue
        parts.append(f"## {layer}\n\n")
        for node in here:
            parts.append(f"### {layer}.{node['alias']}\n\n{_flat(node['description'])}\n\n")
            if node["columns"]:
                parts.append("| column | type | what it is |\n|---|---|---|\n")
                parts += [
                    f"| `{column['name']}` | {column.get('data_type') or ''} | {_flat(column['description'])} |\n"
                    for column in node["columns"].values()
                ]
                parts.append("\n")
    parts.append(
        "## raw and ops\n\nMade by the numbered files of `ingestion/sql/migrations`, which describe them.\n\n"
    )
    parts.append("| table | what it is |\n|---|---|\n")
    for source in sorted(found["sources"].values(), key=lambda one: (one["source_name"], one["name"])):
        parts.append(f"| `{source['source_name']}.{source['name']}` | {_flat(source['description'])} |\n")
    return "".join(parts).rstrip("\n") + "\n"


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render(manifest()), "utf-8")
    print(TARGET)
