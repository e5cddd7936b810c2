"""**Turns raw events into tables people read.** Four tasks, one a layer of models with its tests.
A layer that fails stops the ones after it, so marts and reports keep their last good state.

### When a task is red

1. Open it, tab Logs. The last error names the model, the test, how many rows fail and the table that keeps
   them. The data or a model is wrong: correct it, then clear the task. It was not tried again by itself.
2. "Postgres … doesn't let us in": the warehouse was away, also half a minute later. Start it, clear the task.
3. A time-out: something holds a lock, or a model became slow. dbt's log has the time of each model.

Every task is safe to run twice: clear the red one, and it and those after it run again.

### By hand

| to do this | type this |
|---|---|
| see whether Postgres runs | `mercato status` |
| all layers | `mercato transform` |
| one task | `mercato transform --layer staging` |
| rebuild from all of raw | `mercato transform --full-refresh` |
| one model, as an analyst | `cd dbt_project && dbt build -s stg_orders` |
| read dbt's log | `less .mercato/dbt/logs/dbt.log` |
"""

from datetime import timedelta

import pendulum
from airflow.sdk import Param, chain, dag, task


@dag(
    dag_id="transform",
    dag_display_name="transform: raw → reports",
    description="dbt, layer by layer, tests as gates. Red: marts and reports kept their last good state.",
    doc_md=__doc__,
    # Triggered by `mercato demo`, by hand and by the REST API. Once ingestion emits an asset, by that.
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["dbt", "warehouse"],
    params={
        "full_refresh": Param(
            False,
            type="boolean",
            title="Full refresh",
            description="Rebuild from all of raw, not only from what is new since the last run.",
        )
    },
    default_args={
        "owner": "data-platform",
        # A retry helps where Postgres was away for a moment; failed data isn't tried again (see `build`).
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=30),
    },
)
def transform() -> None:
    """Wire one task a layer."""

    def layer(name: str, does: str):
        @task(task_id=name, doc_md=f"{does} Same as `mercato transform --layer {name}`.")
        def build(params: dict) -> dict:
            from airflow.sdk.exceptions import AirflowFailException

            from mercato.services import dbt
            from mercato.services.dbt_results import LayerFailed
            from mercato.settings import load

            try:
                return dbt.build(load(), name, full_refresh=params["full_refresh"], on_line=print).as_dict()
            except LayerFailed as error:
                raise AirflowFailException(str(error)) from None

        return build()

    chain(
        layer("staging", "Types and names of raw, a model a source."),
        layer("intermediate", "Sessions, orders and their lines, put together."),
        layer("marts", "Facts and dimensions, under contract."),
        layer("reports", "One table a question, as the dashboards read them."),
        layer("daily", "Reports that compare all customers or products with each other."),
    )


transform()
