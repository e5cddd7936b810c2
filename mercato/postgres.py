"""Connections to Postgres. The one module that imports the driver.

Guarantee: a server that is away is `ServiceUnavailable` with the cure, never a driver's traceback.
"""

from dataclasses import dataclass, field

import psycopg
from psycopg import Connection, errors, sql

from mercato.errors import ServiceUnavailable

__all__ = [
    "BadInput",
    "Busy",
    "Connection",
    "Deadlock",
    "Duplicate",
    "Endpoint",
    "Gone",
    "Missing",
    "connect",
    "sql",
    "verifier",
]

#: The server refused a value of ours (bad JSON, bad encoding, too deep): the row is bad, not the connection.
BadInput = (errors.DataError, errors.StatementTooComplex, errors.ProgramLimitExceeded)
#: Two transactions waited for each other and the server undid this one: it may simply be tried again.
Deadlock = errors.DeadlockDetected
#: A lock was waited for longer than `lock_timeout`; nothing of the statement is stored.
Busy = errors.LockNotAvailable
#: A row with this key is there already, or another transaction committed one while this waited.
Duplicate = errors.UniqueViolation
#: A table, schema, column or function is not there (yet).
Missing = (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn, errors.UndefinedFunction)
#: The server went away or was restarted in the middle: nothing of the open transaction is stored.
Gone = (psycopg.OperationalError, psycopg.InterfaceError)


_CURES = {
    "refused": "`mercato up` starts the local one; an outside one is named by MERCATO_WAREHOUSE__*",
    "password authentication failed": "the password isn't the server's: `mercato up` (with a server of your own: "
    "`mercato migrate`) tells the server those of the secret files; MERCATO_WAREHOUSE__PASSWORD goes before them",
    "does not exist": "`mercato up` (with a server of your own: `mercato migrate`) makes roles and databases",
    "CONNECT privilege": "`mercato migrate` gives each role its rights; MERCATO_WAREHOUSE__DATABASE names the database",
    "too many connections": "end what isn't needed, or raise the limit: `alter role … connection limit …`",
    "too many clients": "end what isn't needed, or raise max_connections of the server",
    "SSL support is not compiled in": "MERCATO_WAREHOUSE__SSLMODE asks for TLS, which this client hasn't",
    "certificate": "MERCATO_WAREHOUSE__SSLROOTCERT names the file of the authority of the server's certificate",
    "does not support SSL": "turn TLS on at the server, or set MERCATO_WAREHOUSE__SSLMODE",
}


@dataclass(frozen=True)
class Endpoint:
    """An address of a database, password hidden from repr."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    sslmode: str = "prefer"
    sslrootcert: str = ""  # file of the authority that `verify-ca` and `verify-full` trust

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


def verifier(connection: Connection, user: str, password: str) -> str:
    """What the server stores of a password (SCRAM): `create role … password` takes it in place of the password."""
    return connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()


def connect(
    endpoint: Endpoint,
    *,
    autocommit: bool = False,
    application: str = "mercato",
    synchronous: bool = True,
    timeout: int = 10,
) -> Connection:
    """Open a connection in UTC, or give up after `timeout` seconds.

    Without `synchronous` a crash of the server may take the last commits, whole.

    Raises:
        ServiceUnavailable: the server is away, or refuses the user, password or database.
    """
    try:
        return psycopg.connect(
            host=endpoint.host,
            port=endpoint.port,
            dbname=endpoint.database,
            user=endpoint.user,
            password=endpoint.password,
            sslmode=endpoint.sslmode,
            sslrootcert=endpoint.sslrootcert or None,
            autocommit=autocommit,
            application_name=application,
            connect_timeout=timeout,
            options="-c timezone=UTC" + ("" if synchronous else " -c synchronous_commit=off"),
        )
    except psycopg.OperationalError as error:
        # A line an address it tried, each with a hint after it; what the server itself says begins with FATAL.
        told = [line.rpartition("failed: ")[2] for line in str(error).splitlines() if "failed: " in line]
        reason = told[-1] if told else str(error).strip()
        what = "doesn't let us in" if "FATAL" in reason else "doesn't answer"
        cure = next((cure for words, cure in _CURES.items() if words in str(error)), _CURES["refused"])
        raise ServiceUnavailable(f"Postgres at {endpoint} {what}: {reason}", cure) from None
