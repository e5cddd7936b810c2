"""**Keeps the warehouse in shape**, each night: partitions for the months to come, old months dropped where the
settings say so, statistics for the planner, old logs away.

### When a task is red

1. `backup`: the disk or the rights of MERCATO_BACKUP__FOLDER; nothing is dropped until it is green. Clear the task.
2. `partitions`: nothing is lost, events of a month without a partition land in the default one. Clear the task.
3. `retention`: a lock was held for long. Clear the task when the load is low.
4. `vacuum`, `logs`: clear the task; tomorrow's run does the same work.

Every task is safe to run twice, also while events are loaded and models run. One that fails doesn't keep the others.

### By hand

| to do this | type this |
|---|---|
| all of it | `mercato maintain` |
| one task | `mercato maintain --step vacuum` |
| keep two years of raw events | `MERCATO_RETENTION__RAW_MONTHS=24` in `.env`, or `mercato maintain --keep-months 24` |
| Airflow's own old runs | `airflow db clean --clean-before-timestamp 2026-10-01 --skip-archive` |
"""

from datetime import timedelta

from airflow.sdk import dag, task
from mercato_policy import HOUSE, at, command


@dag(
    dag_id="maintain",
    dag_display_name="maintain: the warehouse's housekeeping",
    description="Each night: partitions ahead, retention, vacuum, old logs. Red: nothing is lost, clear it.",
    doc_md=__doc__,
    schedule=at("30 1 * * *"),
    tags=["warehouse", "housekeeping"],
    **HOUSE,
)
def maintain() -> None:
    """Wire the tasks: `retention` drops events, so it comes after the backup and, as both change raw, `partitions`."""

    def step(name: str, does: str, hours: int = 1):
        @task(
            task_id=name, doc_md=f"{does} Same as `mercato maintain --step {name}`.",
            execution_timeout=timedelta(hours=hours),
        )  # fmt: skip
        def run() -> dict:
            return command("maintain", "--step", name)

        return run()

    retention = step("retention", "Months of raw events that MERCATO_RETENTION__RAW_MONTHS no longer keeps.")
    backup = step(
        "backup", "A backup of the warehouse, if MERCATO_BACKUP__KEEP says how many to keep.", hours=4
    )
    [backup, step("partitions", "Partitions of raw events for this month and three more.")] >> retention
    step("vacuum", "Vacuum and statistics of every table.", hours=4)
    step("logs", "Logs and records of runs older than MERCATO_RETENTION__LOG_DAYS.")


maintain()
