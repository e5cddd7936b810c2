"""**Computes the rows of a period again, and only these.** For rows that were changed by hand, lost, or made from
something that was wrong then. Started by hand: Trigger, and fill in the form.

It writes down the keys of the period (`ops.model_keys_due`), and the layers compute their rows again, write those that
differ, and take the keys out, in the same transaction. What changed goes on to the reports.

A corrected model needs no backfill: it is built anew by itself. Staging, and the models that merge what is last known
(visitors, attributes, sessions' events), can't be computed by period: `mercato transform --full-refresh`.

### When a task is red

1. `mark`: the period is empty, or a name is none that can be computed by period; the message lists those that can.
   Nothing was written. Trigger it again.
2. A layer: as in `transform`. Clear it when the cause is gone; the keys that are left wait. Should nobody clear it, the
   next `transform` does the rest.

Every task is safe to run twice, and may be killed in the middle: keys that are done are out, the others wait.

### By hand

| to do this | type this |
|---|---|
| the same | `mercato backfill --from 2026-10-01 --to 2026-11-01 --models fct_orders,fct_sales_daily` |
| what is left to do | `select model, count(*) from ops.model_keys_due group by 1` |
| prove that nothing else is wrong | `mercato verify --full-refresh` |
"""

from airflow.sdk import Param, chain, dag, task
from mercato_policy import DBT_POOL, HOUSE, build, command


@dag(
    dag_id="backfill",
    dag_display_name="backfill: a period, computed again",
    description="By hand: recompute the rows of a period in chosen models. Red: what is left waits; clear it.",
    doc_md=__doc__,
    schedule=None,
    tags=["dbt", "by hand"],
    params={
        "from": Param(
            "2026-10-01", type="string", format="date", title="From", description="First day, UTC."
        ),
        "to": Param(
            "2026-11-01", type="string", format="date", title="To", description="The day after the last one."
        ),
        "models": Param(
            [],
            type=["array", "null"],
            items={"type": "string"},
            title="Models",
            description="A name a line, such as fct_orders; empty: all that can be computed by period.",
        ),
    },
    **HOUSE,
)
def backfill() -> None:
    """Wire the tasks: write down what is due, then the layers that know such models."""

    @task(
        doc_md="Which keys are due, written down in one transaction. "
        "Same as `mercato backfill --from … --to … --models … --mark-only`."
    )
    def mark(params: dict) -> dict:
        words = ["--from", params["from"], "--to", params["to"], "--mark-only"]
        if params["models"]:
            words += ["--models", ",".join(params["models"])]
        return command("backfill", *words)

    def layer(name: str):
        @task(
            task_id=name,
            doc_md=f"The keys that are due in {name}. Same as `mercato transform --layer {name}`.",
            pool=DBT_POOL,
        )
        def run() -> dict:
            return build(name)

        return run()

    chain(mark(), layer("intermediate"), layer("marts"), layer("reports"))


backfill()
