"""What does a full build of all models cost on Postgres, and what on DuckDB, of the same SQL and the same events?

A hundred days of a shop with faults (2 %); its stream is loaded as the consumer does, then copied to a DuckDB file (not
part of the figures). Both build every model wholly: Postgres with its indexes, statistics and books. Seconds are dbt's
own, without its start: of the run, and summed by layer (models run side by side). Ratio: Postgres by DuckDB, from
this run; above 1 DuckDB was faster.

    .venv/bin/python benchmarks/models_duckdb.py --events 200000
"""

import argparse
import json
import shutil
from pathlib import Path

from transform import BATCH, History, stream

from mercato.services import dbt, postgres, process
from mercato.settings import ROOT, Settings
from tests import duckdb_copy


def main() -> None:
    """Print the table, and with --json one object on the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--threads", type=int, default=3, help="of dbt on DuckDB; on Postgres it has 3")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    home = ROOT / ".mercato" / "benchmark"
    settings = Settings(home=home, _env_file=None)
    with process.exclusive(home):
        postgres.start(settings)
    try:
        a_day = max(BATCH, options.events // 100)
        history = History.make(settings, "built", stream(options.events, a_day), options.events)
        history.build()
        here = seconds(home / "dbt" / "target")
        path = home / "models.duckdb"
        with history.connect() as connection:
            duckdb_copy.copy_sources(connection, path)
        built = duckdb_copy.run_models(path, threads=options.threads)
        if built.returncode:
            raise SystemExit(built.stdout)
        there = seconds(path.with_name("target"))
        size = path.stat().st_size
    finally:
        postgres.stop(settings)
        shutil.rmtree(home, ignore_errors=True)
    print(f"{'':<16}{'Postgres s':>12}{'DuckDB s':>12}{'ratio':>8}")
    for name in here:
        print(f"{name:<16}{here[name]:>12.1f}{there[name]:>12.1f}{here[name] / there[name]:>8.2f}")
    print(f"the DuckDB file, raw events and all models: {size / 1e6:.0f} MB")
    if options.json:
        ratios = {name: here[name] / there[name] for name in here}
        print(json.dumps({"events": options.events, "postgres_s": here, "duckdb_s": there, "ratios": ratios}))


def seconds(target: Path) -> dict[str, float]:
    """What the last run took, in all and summed by layer."""
    results = json.loads((target / "run_results.json").read_text("utf-8"))
    nodes = json.loads((target / "manifest.json").read_text("utf-8"))["nodes"]
    found = {"whole run": float(results["elapsed_time"]), **dict.fromkeys(dbt.LAYERS, 0.0)}
    for result in results["results"]:
        node = nodes.get(result["unique_id"])
        if node and node["resource_type"] == "model":
            found[Path(node["original_file_path"]).parts[1]] += float(result["execution_time"])
    return found


if __name__ == "__main__":
    main()
