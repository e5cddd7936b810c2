"""What all DAGs have in common: who owns them, how they are tried again, who is told, how a task runs a command.

Light to import: Airflow reads the DAGs again and again. Whatever is heavy is imported inside the tasks.
"""

from collections import deque
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from io import StringIO
from typing import Any

from airflow.sdk import CronTriggerTimetable


def tell(context: dict[str, Any]) -> None:
    """Send the failed run to the webhook and the e-mail addresses of the settings. Runs in the DAG processor."""
    from mercato.commands.runs import alert
    from mercato.settings import load

    alert(load(), context["dag"].dag_id, context["run_id"])


#: `@dag(**HOUSE, …)`
HOUSE: dict[str, Any] = {
    # No start date: a new installation waits for the next time, and does not run all DAGs at once for the last one.
    "catchup": False,
    "max_active_runs": 1,
    "on_failure_callback": tell,
    "default_args": {
        "owner": "data-platform",
        # A retry helps where a service was away or dbt was killed. Wrong data fails at once: see `honest`.
        "retries": 1,
        "retry_delay": timedelta(seconds=15),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(minutes=30),
    },
}

#: One slot: what runs dbt waits its turn here instead of holding a worker.
DBT_POOL = "dbt"


def at(cron: str) -> CronTriggerTimetable:
    """Each time that the cron expression names, in UTC."""
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=timedelta(0))


@contextmanager
def honest():
    """Errors as Airflow's: one that another try can cure is tried again, any other fails the task at once."""
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    from mercato.errors import MercatoError, ServiceUnavailable
    from mercato.services.dbt_results import Interrupted

    try:
        yield
    except (ServiceUnavailable, Interrupted) as error:
        raise AirflowException(str(error)) from None
    except MercatoError as error:
        raise AirflowFailException(str(error)) from None


def build(layer: str, *, full_refresh: bool = False) -> dict[str, Any]:
    """`mercato transform --layer …`; each line of dbt's goes to the task's log."""
    from mercato.commands import transform
    from mercato.settings import load

    with honest():
        return transform.build(load(), layer, full_refresh=full_refresh, on_line=print).as_dict()


def command(*words: str) -> Any:
    """`mercato …`: what it says goes to the task's log, and its JSON is returned."""
    import json

    from airflow.sdk.exceptions import AirflowFailException

    from mercato.cli import cli

    data, said = StringIO(), _Log()
    print("mercato", *words)
    try:
        with honest(), redirect_stdout(data), redirect_stderr(said):
            cli.main(args=[*words, "--json"], prog_name="mercato", standalone_mode=False)
    except SystemExit as end:
        if end.code:
            raise AirflowFailException(
                f"`mercato {' '.join(words)}` failed:\n" + "\n".join(said.last)
            ) from None
    finally:
        print("\n".join(said.lines))
    return json.loads(data.getvalue() or "null")


class _Log(StringIO):
    """Lines for people, kept for the task's log; a command writes few."""

    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()

    @property
    def last(self) -> deque[str]:
        return deque((line for line in self.lines if line.strip()), maxlen=12)
