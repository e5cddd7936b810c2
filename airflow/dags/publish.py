"""**Puts what was learnt where people find it**, each morning, after the day is over (UTC): the layer of models that is
built once a day, then the reports as files.

### When a task is red

1. `daily`: as a layer of `transform`: the message names model, test and failing rows. The tables keep their last good
   state; correct the model or the data, clear the task.
2. `exports`: the disk is full, or Postgres is away. Files are replaced whole: the old ones are still there.

Every task is safe to run twice: clear the red one, and it and those after it run again.

### By hand

| to do this | type this |
|---|---|
| the daily layer | `mercato transform --layer daily` |
| the files | `mercato export --to exports` |
| where they are | `ls .mercato/exports` |
"""

from airflow.sdk import chain, dag, task
from mercato_assets import EXPORTS, MARTS, REPORTS
from mercato_policy import DBT_POOL, HOUSE, at, build, command


@dag(
    dag_id="publish",
    dag_display_name="publish: daily reports and files",
    description="Once a day: the daily layer of models, then every report as a file. Red: yesterday's are still there.",
    doc_md=__doc__,
    schedule=at("15 0 * * *"),
    tags=["dbt", "reports"],
    **HOUSE,
)
def publish() -> None:
    """Wire the tasks."""

    @task(
        doc_md="Models that are built once a day, and their tests. Same as `mercato transform --layer daily`.",
        pool=DBT_POOL, inlets=[MARTS], outlets=[REPORTS],
    )  # fmt: skip
    def daily() -> dict:
        return build("daily")

    @task(doc_md="Each report as a CSV file. Same as `mercato export`.", outlets=[EXPORTS])
    def exports() -> dict:
        return command("export")

    # A report as HTML and PDF is one task more after `daily`, beside `exports`: command("report", "--html", …).
    chain(daily(), exports())


publish()
