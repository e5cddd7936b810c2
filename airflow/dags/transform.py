"""**Turns raw events into tables people read.** Four tasks, one a layer of models with its tests.
A layer that fails stops the ones after it, so marts and reports keep their last good state.

It runs when raw has grown (the asset `raw_events`, seen within seconds), at once again while more comes, and every ten
minutes in any case. Two runs never overlap.

### When a task is red

1. Open it, tab Logs. The last error names the model, the test, how many rows fail and the table that keeps
   them. The data or a model is wrong: correct it, then clear the task. It was not tried again by itself.
2. "dbt says that all is well, but …": the books in `ops` don't show what dbt claims. Another dbt ran, or another
   database was written to. Look at `ops.models`.
3. "Postgres … doesn't let us in", "dbt was ended by …": also at the second try. Start Postgres, or give the machine
   memory; the next run heals it.
4. A time-out: something holds a lock, or a model became slow. `ops.run_timeline` has the time of each model.

Every task is safe to run twice: clear the red one, and it and those after it run again.

### By hand

| to do this | type this |
|---|---|
| see whether Postgres runs | `mercato status` |
| all layers | `mercato transform` |
| one task | `mercato transform --layer staging` |
| rebuild from all of raw | `mercato transform --full-refresh` |
| compute one month again | `mercato backfill --from 2026-10-01 --to 2026-11-01` |
| one model, as an analyst | `cd dbt_project && dbt build -s stg_orders` |
| what a run did, model by model | `mercato runs --run RUN_ID` |
| read dbt's log | `less .mercato/dbt/logs/dbt.log` |
"""

from airflow.sdk import AssetOrTimeSchedule, Param, chain, dag, task
from mercato_assets import MARTS, RAW_EVENTS
from mercato_policy import DBT_POOL, HOUSE, at, build


@dag(
    dag_id="transform",
    dag_display_name="transform: raw → reports",
    description="dbt, layer by layer, tests as gates. Red: marts and reports kept their last good state.",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(assets=[RAW_EVENTS], timetable=at("*/10 * * * *")),
    tags=["dbt", "warehouse"],
    params={
        "full_refresh": Param(
            False,
            type="boolean",
            title="Full refresh",
            description="Rebuild from all of raw, not only from what is new since the last run.",
        )
    },
    **HOUSE,
)
def transform() -> None:
    """Wire one task a layer."""

    def layer(name: str, does: str, **more):
        @task(
            task_id=name, doc_md=f"{does} Same as `mercato transform --layer {name}`.", pool=DBT_POOL, **more
        )
        def run(params: dict) -> dict:
            return build(name, full_refresh=params["full_refresh"])

        return run()

    chain(
        layer("staging", "Types and names of raw, a model a source.", inlets=[RAW_EVENTS]),
        layer("intermediate", "Sessions, orders and their lines, put together."),
        layer("marts", "Facts and dimensions, under contract."),
        layer("reports", "One table a question, as the dashboards read them.", outlets=[MARTS]),
    )


transform()
