"""The roles of the server, made by its superuser. What each may do in the warehouse is granted by the migrations.

Guarantee: a role's password is the one it is given here, each time, so a changed secret file changes it. It reaches
the server as a verifier, so neither a log nor `pg_stat_activity` can show it. None of the roles is a superuser.
"""

from collections.abc import Callable

from mercato.postgres import Connection, sql, verifier

#: Owns raw and ops, applies migrations, keeps and proves. A member of the transformer, whose tables it may drop.
OWNER = "mercato"
LOADER = "mercato_loader"
TRANSFORMER = "mercato_transformer"
READER = "mercato_reader"
AIRFLOW = "airflow"
#: Who may be how many connections. A consumer has two, a dbt run four.
CONNECTIONS = {OWNER: -1, LOADER: 40, TRANSFORMER: 40, READER: 20, AIRFLOW: 60}
#: What dashboards ask must never hold up the warehouse: a minute a query, never a write.
LIMITS = {
    READER: (
        "statement_timeout = '60s'",
        "default_transaction_read_only = on",
        "idle_in_transaction_session_timeout = '60s'",
    ),
}


def make(connection: Connection, password: Callable[[str], str], databases: dict[str, str]) -> None:
    """Make the roles and databases that aren't there. `databases`: name to its owner. As superuser, autocommit."""
    for role, most in CONNECTIONS.items():
        name = sql.Identifier(role)
        if not connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
            connection.execute(sql.SQL("create role {}").format(name))
        connection.execute(
            sql.SQL("alter role {} login nosuperuser connection limit {} password {}").format(
                name, sql.Literal(most), sql.Literal(verifier(connection, role, password(role)))
            )
        )
        for limit in LIMITS.get(role, ()):
            connection.execute(sql.SQL("alter role {} set {}").format(name, sql.SQL(limit)))
    connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(TRANSFORMER), sql.Identifier(OWNER)))
    for database, owner in databases.items():
        if not connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone():
            words = sql.SQL("create database {} owner {}")
            connection.execute(words.format(sql.Identifier(database), sql.Identifier(owner)))
    for database in (*databases, "postgres", "template1"):  # no role meets a database that isn't its own
        words = sql.SQL("revoke all on database {} from public")
        connection.execute(words.format(sql.Identifier(database)))
