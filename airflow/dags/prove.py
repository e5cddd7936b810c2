"""**Proves the numbers**, each night: the ledger balances, marts and reports agree, the incremental tables are what a
full refresh would make, and all equal the truth where there is one (a simulated shop's).

While it looks, `transform` waits: what it compares is of one moment. A run that was cut off is finished first.

### When a task is red

Green tables are not to be trusted until this is understood. The message names each table, day and figure.

1. `ledger`: a difference in `ops.ledger`, `raw.…`: rows were changed or deleted by hand, or the broker lost records.
   A difference in `marts.…`, `reports.…`: tables that must agree don't; go on with 2.
2. `full_refresh`: the table has rows that its query would not make. Rows of a period: `mercato backfill`; anything
   else: `mercato transform --full-refresh`. Then clear the task.
3. `truth`: as 1 and 2; or the truth file is of another shop than what was loaded.

Every task is safe to run twice; none changes a table (but to finish what a killed run left).

### By hand

| to do this | type this |
|---|---|
| the ledger, and tables with each other | `mercato verify` |
| the same while events come | `mercato verify --settle` |
| incremental = full refresh | `mercato verify --full-refresh` |
| beside the truth | `mercato verify --settle --truth truth.json` |
| have the truth proved each night | `MERCATO_PROOF__TRUTH=/path/truth.json` in `.env` |
"""

from datetime import timedelta

from airflow.sdk import chain, dag, task
from mercato_policy import DBT_POOL, HOUSE, at, build, command


@dag(
    dag_id="prove",
    dag_display_name="prove: every number, each night",
    description="Ledger, incremental = full refresh, truth. Red: a number is wrong; the message names table and day.",
    doc_md=__doc__,
    schedule=at("0 3 * * *"),
    tags=["dbt", "proof"],
    **HOUSE,
)
def prove() -> None:
    """Wire the tasks, one after the other: each holds the models off while it looks."""

    @task(
        doc_md="The ledger with itself, the rows and the stream; marts and reports with each other. "
        "Same as `mercato verify --settle`.",
        pool=DBT_POOL,
    )
    def ledger() -> dict:
        return command("verify", "--settle")

    @task(
        doc_md="All models anew beside the real ones, compared row for row. Same as `mercato verify --full-refresh`.",
        pool=DBT_POOL, execution_timeout=timedelta(hours=4), trigger_rule="all_done",
    )  # fmt: skip
    def full_refresh() -> dict:
        return command("verify", "--full-refresh")

    @task(
        doc_md="Every KPI, day by day, and every cohort beside the truth of the simulated shop; skipped where there is "
        "none. Same as `mercato transform --layer daily`, then `mercato verify --settle --truth FILE`.",
        pool=DBT_POOL, trigger_rule="all_done",
    )  # fmt: skip
    def truth() -> dict:
        from airflow.sdk.exceptions import AirflowSkipException

        from mercato.settings import load

        if (path := load().proof.truth) is None:
            raise AirflowSkipException("there is no truth: MERCATO_PROOF__TRUTH isn't set")
        build("daily")  # of the same moment as what it is compared with
        return command("verify", "--settle", "--truth", str(path))

    @task(
        doc_md="Red where one above is: none of them keeps the others from looking. Same as `mercato verify`.",
        trigger_rule="none_failed",
    )
    def verdict() -> None:
        print("every proof that could be made was made, and holds")

    proofs = [ledger(), full_refresh(), truth()]
    chain(*proofs)
    proofs >> verdict()


prove()
