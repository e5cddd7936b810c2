"""**Watches the stream into raw, and lets in what was refused.** Loading itself is no task: `mercato consume` runs all
the time, beside Airflow. Its events start `transform` within seconds, by the asset `raw_events`.

### When a task is red

1. `lag`: records wait in the stream and nobody loads them. Start a consumer (`mercato consume`), or read what the
   running one says. "doesn't answer": the broker or Postgres is away; it is tried once more, then start it.
2. `replay`: Postgres went away. What it had finished stays so, the rest still waits.

Every task is safe to run twice: clear the red one.

### By hand

| to do this | type this |
|---|---|
| how far behind raw and the marts are | `mercato lag` |
| what a replay would let in | `mercato replay --dry-run` |
| let it in | `mercato replay` |
| what is in quarantine, and why | `select * from ops.quarantine_summary` |
"""

from datetime import timedelta

from airflow.sdk import Metadata, chain, dag, task
from mercato_assets import RAW_EVENTS
from mercato_policy import HOUSE, at, command


@dag(
    dag_id="ingest",
    dag_display_name="ingest: stream → raw",
    description="Is the stream being loaded? Can quarantined records pass by now? Red: events wait, nobody loads them.",
    doc_md=__doc__,
    schedule=at("*/5 * * * *"),
    tags=["stream", "raw"],
    **HOUSE,
)
def ingest() -> None:
    """Wire the tasks."""

    @task(
        doc_md="Is the stream loaded, and how far behind is raw? Same as `mercato lag`.",
        execution_timeout=timedelta(minutes=2),
    )
    def lag() -> dict:
        return command("lag")

    @task(
        doc_md="Quarantined records through the door again, where the contract or a limit has changed. Skipped where "
        "none came in. Same as `mercato replay --if-changed`.",
        outlets=[RAW_EVENTS],
    )
    def replay():
        from airflow.sdk.exceptions import AirflowSkipException

        found = command("replay", "--if-changed")
        if not found["loaded"]:
            raise AirflowSkipException(f"{found['tried']:,} records tried, raw has not grown")
        yield Metadata(RAW_EVENTS, {"rows": found["loaded"]})

    chain(lag(), replay())


ingest()
