"""**Puts what was learnt where people find it**, each morning, after the day is over (UTC): the layer of models that is
built once a day, then the reports as files, and the last whole week drawn to a page and a PDF. In a new warehouse it
runs two minutes after the first `transform`, too (the asset `daily_reports_missing`): nobody waits for the night.

### When a task is red

1. `daily`: as a layer of `transform`: the message names model, test and failing rows. The tables keep their last good
   state; correct the model or the data, clear the task.
2. `exports`, `report`: the disk is full, or Postgres is away. Files are replaced whole: the old ones are still there.

Every task is safe to run twice: clear the red one, and it and those after it run again.

### By hand

| to do this | type this |
|---|---|
| the daily layer | `mercato transform --layer daily` |
| the files | `mercato export --to exports` |
| the last week on paper | `mercato report --week --html week.html --pdf week.pdf` |
| where they are | `ls .mercato/exports` |
"""

from airflow.sdk import AssetOrTimeSchedule, chain, dag, task
from mercato_assets import DAILY_MISSING, EXPORTS, MARTS, REPORTS
from mercato_policy import DBT_POOL, HOUSE, at, build, command


@dag(
    dag_id="publish",
    dag_display_name="publish: daily reports and files",
    description="Once a day: the daily layer, every report as a file, the week drawn. Red: yesterday's are there.",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(assets=[DAILY_MISSING], timetable=at("15 0 * * *")),
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

    @task(
        doc_md="The last whole week as a page and on paper. Same as `mercato report --week --html … --pdf …`.",
        outlets=[EXPORTS],
    )
    def report() -> dict:
        from mercato.settings import load

        folder = load().home / "exports"
        return command("report", "--week", "--html", f"{folder}/week.html", "--pdf", f"{folder}/week.pdf")

    chain(daily(), exports(), report())


publish()
