"""Numbered SQL files that build the warehouse's raw and ops schemas.

Guarantee: each runs once, in order, in its own transaction; two processes at once run them once; a file that
changed after it ran is an error.
"""

import hashlib
from pathlib import Path

from ingestion import partitions
from ingestion.sql import query
from mercato.errors import MercatoError
from mercato.postgres import Connection, sql

FOLDER = Path(__file__).parent / "sql" / "migrations"
LOCK = 7_305_115_241  # any number that nothing else in this database uses


#: What the migrations and the models make; the latter's names are dbt's to know, listed here to be dropped.
SCHEMAS = ("raw", "ops", "staging", "intermediate", "marts", "reports", "snapshots", "test_failures")


def pending(connection: Connection) -> list[str]:
    """Names of the migrations that `migrate` would apply."""
    row = connection.execute("select to_regclass('public.mercato_migrations')").fetchone()
    done = (
        connection.execute("select name from public.mercato_migrations").fetchall() if row and row[0] else []
    )
    return sorted({path.name for path in FOLDER.glob("*.sql")} - {name for (name,) in done})


def drop_all(connection: Connection) -> None:
    """Drop every schema of ours with all it holds; `migrate` makes raw and ops again."""
    with connection.transaction():
        for schema in SCHEMAS:
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
        connection.execute("drop table if exists public.mercato_migrations")


def migrate(connection: Connection) -> list[str]:
    """Apply what is missing; returns the names applied. The connection must be in autocommit mode.

    Raises:
        MercatoError: an applied migration's file has changed or is gone.
    """
    applied = []
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute(
            "create table if not exists public.mercato_migrations "
            "(name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
        )
        done: dict[str, str] = dict(
            connection.execute("select name, sha256 from public.mercato_migrations").fetchall()
        )
        files = {path.name: path.read_bytes() for path in sorted(FOLDER.glob("*.sql"))}
        for name, digest in done.items():
            if name not in files or hashlib.sha256(files[name]).hexdigest() != digest:
                raise MercatoError(
                    f"migration {name} ran here in another form than this version has",
                    "check out the version that made this warehouse, or start a new one (`make clean`)",
                )
        for name in sorted(set(files) - set(done)):
            connection.execute(files[name])
            connection.execute(
                "insert into public.mercato_migrations (name, sha256) values (%s, %s)",
                [name, hashlib.sha256(files[name]).hexdigest()],
            )
            applied.append(name)
        partitions.make(connection)
        connection.execute(query("grant_roles"))
    return applied
