"""The warehouse's raw events and books in a DuckDB file, for the tests and benchmarks: through CSV, as neither reads
the other here. The models are then built there by `dbt run --target duckdb`.
"""

import os
import subprocess
from pathlib import Path

import duckdb

from mercato.postgres import Connection
from mercato.services import dbt, dbt_process

#: What the models and their tests read. Transaction ids are numbers here: they have an order, and it is theirs.
TABLES = {
    "raw.events": {
        "message_id": "text", "type": "text", "event": "text", "user_id": "text", "anonymous_id": "text",
        "timestamp": "timestamptz", "sent_at": "timestamptz", "received_at": "timestamptz", "context": "json",
        "properties": "json", "traits": "json", "partition": "integer", "position": "bigint", "batch_id": "bigint",
        "loaded_at": "timestamptz",
    },
    "ops.ledger": {
        "batch_id": "bigint", "source": "text", "source_uid": "text", "partition": "integer",
        "first_position": "bigint", "last_position": "bigint", "received": "bigint", "loaded": "bigint",
        "duplicate": "bigint", "quarantined": "bigint", "control": "bigint", "bytes": "bigint",
        "load_xid": "bigint", "loaded_at": "timestamptz",
    },
    "raw.quarantine": {
        "reason": "text", "batch_id": "bigint", "replay_state": "text", "replay_batch_id": "bigint",
    },
    "ops.kept_ledger": {"source": "text", "batch_id": "bigint", "loaded": "bigint", "load_xid": "bigint"},
}  # fmt: skip


def copy_sources(connection: Connection, path: Path) -> None:
    """Make the file `path` with all that the models and their tests read."""
    with duckdb.connect(str(path)) as target:
        target.execute("set timezone = 'UTC'")
        for table, columns in TABLES.items():
            file = path.with_name(f"{table}.csv")
            export(connection, table, file)
            target.execute(f"create schema if not exists {table.partition('.')[0]}")
            target.execute(
                f"create table {table} as select * from read_csv(?, columns = ?, header = true, auto_detect = false,"
                " delim = ',', quote = '\"', escape = '\"', allow_quoted_nulls = false, parallel = false,"
                " max_line_size = 4194304)",
                [str(file), columns],
            )
            file.unlink()


def export(connection: Connection, table: str, file: Path) -> None:
    """Write the table's columns of TABLES as CSV, nulls unquoted."""
    names = ", ".join(f'"{name}"' for name in TABLES[table])
    copy = f"copy (select {names} from {table}) to stdout (format csv, header)"
    with connection.cursor() as cursor, cursor.copy(copy) as rows, file.open("wb") as written:
        for block in rows:
            written.write(block)


def run_models(path: Path, *words: str, threads: int = 2) -> subprocess.CompletedProcess[str]:
    """`dbt run` in the file, the target folder beside it."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "DBT_PROFILES_DIR": str(dbt.PROJECT), "DBT_TARGET_PATH": str(path.with_name("target")),
        "DBT_LOG_PATH": str(path.with_name("logs")), "DBT_USE_COLORS": "False", "DO_NOT_TRACK": "1",
        "DUCKDB_PATH": str(path), "DUCKDB_THREADS": str(threads),
    }  # fmt: skip
    return subprocess.run(
        [str(dbt_process.program()), "run", "--target", "duckdb", *words],
        cwd=dbt.PROJECT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
