"""What each role may do, tried as that role."""

from datetime import UTC, datetime

import psycopg
import pytest

from ingestion.batch import Batch
from ingestion.ledger import read_books
from ingestion.migrations import migrate
from ingestion.warehouse import positions, write_batch
from mercato import postgres as driver
from mercato.postgres import Connection
from mercato.services import endpoints, postgres
from mercato.settings import Settings
from tests.events import event, raw

FORBIDDEN = [
    "select * from raw.events",
    "select raw from raw.quarantine",
    "select batch_id from raw.message_ids",
    "select * from ops.ledger",
    "select * from ops.dbt_results",
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
    "alter table raw.events add column x int",
    "insert into ops.dbt_results default values",
    "create table raw.mine (id int)",
    "create table public.mine (id int)",
    "create temporary table mine (id int)",
    "create schema mine",
    "create role mine",
    "set role mercato",
    "copy (select 1) to program 'true'",
    "select pg_read_file('postgresql.conf')",
    "select raw.drop_partitions(now())",
    "select raw.make_partitions(30)",
    "select ops.grant_roles()",
]


@pytest.fixture
def loader(services: Settings, settings: Settings, warehouse: Connection):
    migrate(warehouse)  # rights on a database are not cloned with it
    local = postgres.endpoint(services, database=endpoints.warehouse(settings).database, user=postgres.LOADER)
    with driver.connect(local, autocommit=True) as connection:
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


def test_the_loader_can_do_nothing_else(loader: Connection, warehouse: Connection) -> None:
    for statement in FORBIDDEN:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            loader.execute(statement).fetchall()
    assert read_books(warehouse).differences == []
