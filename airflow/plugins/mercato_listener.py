"""Writes each run and task to `ops` of the warehouse, and imports what tasks need before the scheduler forks them.

Guarantee: a run never fails, or waits long, because its record can't be written. A task that was killed, skipped or
never started is recorded when its run ends. Tried: callbacks miss tasks that were killed; Airflow's own tables are
no public interface, and not in the warehouse.
"""

import contextlib
import gc
import logging
import sys
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)


class Recorder:
    """The hooks that Airflow calls: those of tasks in the task's process, those of runs in the scheduler."""

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        """A try began."""
        _record_task(task_instance, "running")

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
        """A try did what it should."""
        _record_task(task_instance, "success")

    @hookimpl
    def on_task_instance_skipped(self, previous_state: Any, task_instance: Any) -> None:
        """A task found nothing to do."""
        _record_task(task_instance, "skipped")

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
        """A try failed; there may be another."""
        _record_task(task_instance, "failed", str(error) if error else None)

    @hookimpl
    def on_dag_run_running(self, dag_run: Any, msg: str) -> None:
        """A run began."""
        _record_run(dag_run)

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        """A run ended green."""
        _record_run(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        """A run ended red."""
        _record_run(dag_run)


def _record_task(ti: Any, state: str, error: str | None = None) -> None:
    with _never_in_the_way():
        from mercato.commands.runs import record
        from mercato.settings import load

        record(load(), tasks=[_task(ti, state, error)])


def _record_run(dag_run: Any) -> None:
    with _never_in_the_way():
        from sqlalchemy.orm import object_session

        from mercato.commands.runs import record
        from mercato.settings import load

        state = str(getattr(dag_run.state, "value", dag_run.state))
        # A run that somebody cleared is due when it was queued again.
        due = dag_run.queued_at if dag_run.clear_number else dag_run.run_after
        run = {
            "dag_id": dag_run.dag_id, "run_id": dag_run.run_id, "state": state,
            "run_type": str(getattr(dag_run.run_type, "value", dag_run.run_type)),
            "due_at": due, "started_at": dag_run.start_date, "ended_at": dag_run.end_date,
        }  # fmt: skip
        session = object_session(dag_run)  # its own: another would end the scheduler's
        tasks = dag_run.get_task_instances(session=session) if session and run["ended_at"] else []
        record(load(), run=run, tasks=[_task(ti, ti.state, None) for ti in tasks])


def _task(ti: Any, state: Any, error: str | None) -> dict[str, Any]:
    return {
        "dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id,
        "state": str(getattr(state, "value", state) or "waiting"), "try_number": ti.try_number or 0,
        "started_at": ti.start_date, "ended_at": ti.end_date, "error": error,
    }  # fmt: skip


@contextlib.contextmanager
def _never_in_the_way():
    try:
        yield
    except Exception as error:
        log.warning("not recorded in ops: %s", error)


class MercatoPlugin(AirflowPlugin):
    """Found by Airflow in this folder."""

    name = "mercato"
    listeners = [Recorder()]  # noqa: RUF012  as Airflow asks for it


if "scheduler" in sys.argv[1:2]:
    # The scheduler forks its workers and these fork each task: what is imported and read here is there at once. Costs
    # memory that all share, saves 4 s of CPU a task.
    from importlib import import_module

    from mercato.cli import COMMANDS
    from mercato.services import dbt
    from mercato.settings import load

    for command in ("lag", "replay", "transform", "verify", "maintain", "runs"):
        import_module(f"mercato.commands.{COMMANDS[command]}")

    dbt.prepare(load())
    gc.collect()
    gc.freeze()
    # The LocalExecutor freezes what there is before it forks its workers, and unfreezes it after: the scheduler's next
    # collection then touched, and so copied, all that it shares with them, 170 MB.
    gc.unfreeze = lambda: None
