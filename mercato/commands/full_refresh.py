"""`mercato verify --full-refresh`: are the incremental tables what a full refresh would make, row for row?

Guarantee: both are of the same load watermark; a row too many, too few or with another value in any table of any
layer is counted. No other run of this checkout changes the tables meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ingestion.sql import query
from mercato.errors import MercatoError
from mercato.postgres import Connection, Missing, connect, sql
from mercato.services import dbt, endpoints
from mercato.settings import Settings


@dataclass(frozen=True, slots=True)
class Differing:
    """A table that isn't what a full refresh makes: rows only in it, and rows only in the full refresh."""

    table: str
    only_here: int
    only_there: int

    def __str__(self) -> str:
        return (
            f"{self.table}: {self.only_here:,} rows that a full refresh doesn't make, "
            f"{self.only_there:,} missing that it makes"
        )


@contextmanager
def settled(settings: Settings, on_line: Callable[[str], None] = lambda _: None) -> Iterator[int]:
    """Hold off other runs of this checkout, and first let the models take in all that is below the load watermark,
    should a run be in the middle; yields the lock.

    Raises:
        MercatoError: a model failed, or another run doesn't end.
    """
    with dbt.exclusive(settings) as lock:
        with connect(endpoints.warehouse(settings), autocommit=True) as connection:
            behind = _behind(connection)
        if behind:
            dbt.catch_up(settings, lock, on_line)
        yield lock


def prove(
    settings: Settings, lock: int, on_line: Callable[[str], None] = lambda _: None
) -> tuple[int, list[Differing]]:
    """Build all models anew beside the real ones, compare, drop them; returns how many tables there are, and
    those that differ. `lock`: of `settled`.

    Raises:
        MercatoError: the build failed.
    """
    with connect(endpoints.warehouse(settings), autocommit=True) as connection:
        if behind := _behind(connection):
            raise MercatoError(
                f"{', '.join(behind[:5])} haven't taken all that is below the load watermark",
                "`mercato transform`, then verify again",
            )
        try:
            tables = dbt.build_copy(settings, lock, on_line=on_line)
            return len(tables), [one for table in tables if (one := compare_table(connection, table))]
        finally:
            drop_copy(connection)


def _behind(connection: Connection) -> list[str]:
    try:
        rows = connection.execute(query("models_behind"), {"prefix": dbt.COPY_PREFIX}).fetchall()
    except Missing:  # before the first transform
        return []
    return [model for (model,) in rows]


def compare_table(connection: Connection, table: str) -> Differing | None:
    """Compare a table, `schema.name`, with its copy; None if they are equal."""
    schema, _, name = table.partition(".")
    one, other = sql.Identifier(schema, name), sql.Identifier(dbt.COPY_PREFIX + schema, name)
    statement = sql.SQL(query("compare_tables")).format(one=one, other=other)
    only_here, only_there = connection.execute(statement).fetchone() or (0, 0)
    return Differing(table, int(only_here), int(only_there)) if only_here or only_there else None


def drop_copy(connection: Connection, prefix: str = dbt.COPY_PREFIX) -> None:
    """Drop the tables whose schemas have the prefix, and what the books say of them."""
    with connection.transaction():
        for layer in (*dbt.LAYERS, "test_failures"):
            schema = sql.Identifier(prefix + layer)
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(schema))
        for name in ("forget_models", "forget_model_changes", "forget_model_reads"):
            connection.execute(query(name), {"prefix": prefix})
