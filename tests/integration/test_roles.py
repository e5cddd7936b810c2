"""What each role may do, tried as that role."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from ingestion.batch import Batch
from ingestion.ledger import read_books
from ingestion.warehouse import positions, write_batch
from mercato import postgres as driver
from mercato.errors import ServiceUnavailable
from mercato.postgres import Connection
from mercato.services import dbt, endpoints, roles
from mercato.settings import Settings
from tests.events import event, raw

#: Refused to each role.
EVERYONE = [
    "update raw.events set event = 'x'",
    "update ops.ledger set loaded = 0",
    "update raw.quarantine set reason = 'x'",
    "delete from raw.events",
    "delete from raw.message_ids",
    "delete from raw.quarantine",
    "delete from ops.ledger",
    "delete from ops.positions",
    "truncate raw.events",
    "drop table raw.events",
    "drop schema raw cascade",
    "alter table raw.events add column x int",
    "create table raw.mine (id int)",
    "create table ops.mine (id int)",
    "create table public.mine (id int)",
    "create role mine",
    "create database mine",
    "set role mercato",
    "set role postgres",
    "alter role mercato_reader superuser",
    "copy (select 1) to program 'true'",
    "copy (select 1) to '/tmp/mine'",
    "select pg_read_file('postgresql.conf')",
    "select * from pg_authid",
    "select raw.drop_partitions(now())",
    "select raw.make_partitions(30)",
    "select ops.grant_roles()",
    "alter system set log_statement = 'all'",
]
READS_NOTHING_RAW = [
    "select * from raw.events",
    "select raw from raw.quarantine",
    "select batch_id from raw.message_ids",
]
FORBIDDEN = {
    roles.LOADER: [
        *EVERYONE,
        *READS_NOTHING_RAW,
        "select * from ops.ledger",
        "select * from ops.dbt_results",
        "insert into ops.dbt_results default values",
        "create temporary table mine (id int)",
        "create schema mine",
        "create table reports.mine (id int)",
        "set role mercato_transformer",
    ],
    roles.TRANSFORMER: [
        *EVERYONE,
        "insert into raw.events (message_id) values ('x')",
        "insert into raw.quarantine default values",
        "insert into raw.message_ids values ('x', 1)",
        "insert into ops.ledger default values",
        "update ops.positions set next_position = 0",
        "delete from ops.dbt_results",
        "set role mercato_loader",
    ],
    roles.READER: [
        *EVERYONE,
        *READS_NOTHING_RAW,
        "insert into ops.dbt_results default values",
        "update ops.positions set next_position = 0",
        "select * from staging.stg_orders",
        "create table reports.mine (id int)",
        "drop schema reports",
        "create temporary table mine (id int)",
        "create schema mine",
        "set role mercato_transformer",
    ],
}


def connect(settings: Settings, role: str) -> Connection:
    return driver.connect(endpoints.warehouse(settings, role=role), autocommit=True)


def refused(connection: Connection, statement: str) -> bool:
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


@pytest.fixture
def loader(settings: Settings) -> Iterator[Connection]:
    with connect(settings, roles.LOADER) as connection:
        yield connection


def test_the_loader_can_write_good_bad_and_refused_records(loader: Connection, warehouse: Connection) -> None:
    batch = Batch("kafka:t", "uid", positions(loader, "kafka:t", "uid", [0]), 100_000)
    refused = {**event(), "traits": {"name": "a\0b"}}
    records = [raw(event()), b"{", raw(refused), raw(event(messageId="x")), raw(event(messageId="x"))]
    for number, record in enumerate(records):
        batch.add(0, number, record, datetime.now(UTC), 1)
    done = write_batch(loader, batch)
    assert (done.loaded, done.duplicate, done.quarantined) == (2, 1, 2)
    assert read_books(warehouse).differences == []


@pytest.mark.parametrize("role", FORBIDDEN)
def test_a_role_can_do_nothing_that_isnt_its_work(
    role: str, settings: Settings, warehouse: Connection
) -> None:
    with connect(settings, role) as connection:
        connection.execute(
            "set default_transaction_read_only = off"
        )  # a limit that a session may lift: rights stay
        allowed = [statement for statement in FORBIDDEN[role] if not refused(connection, statement)]
    assert allowed == []
    assert read_books(warehouse).differences == []


@pytest.mark.parametrize("role", [*FORBIDDEN, roles.OWNER])
def test_no_role_is_a_superuser_or_gets_into_another_database(role: str, settings: Settings) -> None:
    with connect(settings, role) as connection:
        assert connection.execute(
            "select rolsuper or rolcreaterole or rolcreatedb or rolbypassrls from pg_roles where rolname = current_user"
        ).fetchone() == (False,)
    for database in ("airflow", "postgres", "template1"):
        with pytest.raises(ServiceUnavailable, match="permission denied for database"):
            driver.connect(endpoints.warehouse(settings, role=role, database=database))


def test_airflow_gets_into_its_own_database_only(settings: Settings) -> None:
    with pytest.raises(ServiceUnavailable, match="permission denied for database"):
        connect(settings, roles.AIRFLOW)
    driver.connect(endpoints.warehouse(settings, role=roles.AIRFLOW, database="airflow")).close()


def test_the_transformer_builds_what_the_reader_may_read_and_the_owner_may_drop(
    settings: Settings, warehouse: Connection
) -> None:
    assert {dbt.build(settings, layer).layer for layer in dbt.LAYERS} == set(dbt.LAYERS)
    owners = warehouse.execute(
        "select distinct tableowner from pg_tables where schemaname in ('staging', 'marts', 'reports')"
    ).fetchall()
    assert owners == [(roles.TRANSFORMER,)]
    with connect(settings, roles.READER) as reader:
        for (table,) in warehouse.execute(
            "select tablename from pg_tables where schemaname = 'reports'"
        ).fetchall():
            reader.execute(driver.sql.SQL("select * from reports.{}").format(driver.sql.Identifier(table)))
        reader.execute("select * from ops.ledger").fetchall()
        for schema in ("staging", "intermediate", "marts"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"schema {schema}"):
                reader.execute(f"select * from {schema}.anything")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute("create table reports.mine (id int)")
    warehouse.execute("drop schema marts cascade")


def test_what_another_user_built_is_the_transformers_after_the_next_migration(
    settings: Settings, warehouse: Connection
) -> None:
    warehouse.execute("create table reports.old as select 1 as id")
    warehouse.execute("create view marts.old as select * from reports.old")
    warehouse.execute("select ops.grant_roles()")
    with connect(settings, roles.TRANSFORMER) as transformer:
        transformer.execute("drop view marts.old")
        transformer.execute("drop table reports.old")


def test_the_readers_queries_and_connections_are_limited(settings: Settings) -> None:
    with connect(settings, roles.READER) as reader:
        limits = reader.execute(
            "select current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')"
        ).fetchone()
        assert limits == ("1min", "1min")
        reader.execute("set statement_timeout = '50ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            reader.execute("select pg_sleep(10)")
    open_ones: list[Connection] = []
    try:
        with pytest.raises(ServiceUnavailable, match='too many connections for role "mercato_reader"'):
            open_ones.extend(
                connect(settings, roles.READER) for _ in range(roles.CONNECTIONS[roles.READER] + 1)
            )
    finally:
        for one in open_ones:
            one.close()


def test_a_role_that_a_process_was_not_given_is_refused_with_the_secrets_name(
    settings: Settings, tmp_path
) -> None:
    from mercato.errors import WrongUse

    (tmp_path / "postgres-mercato_reader").write_text("x")
    given = settings.model_copy(update={"secrets": tmp_path})
    assert endpoints.warehouse(given, role=roles.READER).password == "x"
    with pytest.raises(WrongUse, match="postgres-mercato_loader can't be read"):
        endpoints.warehouse(given, role=roles.LOADER)
