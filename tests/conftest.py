"""Real services for the tests: one Postgres and one broker a run, a fresh database and topic a test.

A test that asks for a `topic` runs on each kind of broker: the wheel's, and Apache Kafka, which is started when the
first test needs it. Where it can't be had those tests are skipped, or fail if REQUIRE_APACHE_KAFKA is set.
They live in a folder of their own below .mercato/, so a developer's services and data are never touched.
"""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingestion.migrations import migrate
from ingestion.sql import query
from mercato import postgres as driver
from mercato.kafka_admin import Admin
from mercato.postgres import Connection
from mercato.services import broker, endpoints, postgres, process
from mercato.settings import PREFIX, ROOT, Kafka, Settings, Warehouse
from tests import apache_kafka

TEMPLATE = "template_warehouse"
#: The same name in each test: dbt parses the whole project again, some ten seconds, where its address is another.
WAREHOUSE = "test"
SHARED = ROOT.parent / "shared" / "data"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests that ask for a topic on both brokers, those marked `apache_kafka` on that one alone."""
    if "servers" in metafunc.fixturenames and metafunc.definition.get_closest_marker("apache_kafka"):
        metafunc.parametrize("servers", ["apache"], indirect=True)
    elif "topic" in metafunc.fixturenames:
        metafunc.parametrize("servers", ["wheel", "apache"], indirect=True)


@pytest.fixture(scope="session")
def services() -> Iterator[Settings]:
    """Settings of local services that run for the whole session, outside settings ignored."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    home = ROOT / ".mercato" / f"test-{os.getpid()}"
    settings = Settings(home=home, _env_file=None)
    with process.exclusive(home):
        postgres.start(settings)
        broker.start(settings)
    with _superuser(settings) as connection:
        connection.execute(f"create database {TEMPLATE} owner mercato")
    with driver.connect(postgres.endpoint(settings, database=TEMPLATE), autocommit=True) as connection:
        migrate(connection)
    yield settings
    broker.stop(settings)
    postgres.stop(settings)
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def apache_servers(services: Settings) -> Iterator[str]:
    """Bootstrap servers of an Apache Kafka that runs for the rest of the session."""
    own = apache_kafka.Broker(services.home / "apache")
    with skipped_without_apache_kafka():
        servers = own.start()
    yield servers
    own.stop()


@contextmanager
def skipped_without_apache_kafka() -> Iterator[None]:
    """Skip the test where Apache Kafka can't be had; fail it where it must be."""
    try:
        yield
    except apache_kafka.NotHere as error:
        if os.environ.get("REQUIRE_APACHE_KAFKA"):
            pytest.fail(f"REQUIRE_APACHE_KAFKA is set. {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def servers(request: pytest.FixtureRequest, services: Settings) -> str:
    """Bootstrap servers of the broker that the test runs on."""
    if getattr(request, "param", "wheel") == "apache":
        return str(request.getfixturevalue("apache_servers"))
    return broker.bootstrap_servers(services)


@pytest.fixture
def settings(services: Settings, servers: str) -> Iterator[Settings]:
    """Settings with an empty, migrated warehouse and an empty topic of three partitions."""
    topic = f"test_{uuid.uuid4().hex[:12]}"
    with _superuser(services) as connection:
        connection.execute(f"drop database if exists {WAREHOUSE} with (force)")
        connection.execute(f"create database {WAREHOUSE} owner mercato template {TEMPLATE}")
    local = postgres.endpoint(services, database=WAREHOUSE)
    with driver.connect(local, autocommit=True) as connection:
        connection.execute(query("grant_roles"))  # rights on a database are not cloned with it
    yield services.model_copy(
        update={
            # As in production: no password here, each command is its own role.
            "secrets": services.home / "secrets",
            "warehouse": Warehouse(host=local.host, port=local.port, database=WAREHOUSE, sslmode="disable"),
            "kafka": Kafka(bootstrap_servers=servers, topic=topic),
        }
    )
    with _superuser(services) as connection:
        connection.execute(f"drop database {WAREHOUSE} with (force)")


@pytest.fixture
def topic(settings: Settings) -> str:
    """Name of the settings' topic, created."""
    with Admin(endpoints.kafka(settings)) as admin:
        return admin.ensure_topic(settings.kafka.topic, settings.kafka.partitions).name


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[Connection]:
    """A connection to the settings' warehouse, in autocommit mode."""
    with driver.connect(endpoints.warehouse(settings), autocommit=True) as connection:
        yield connection


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, for commands in processes of their own."""
    return {
        **os.environ,
        **endpoints.environment(settings),
        "MERCATO_HOME": str(settings.home),
        "MERCATO_KAFKA__BOOTSTRAP_SERVERS": endpoints.kafka(settings),
        "MERCATO_KAFKA__TOPIC": settings.kafka.topic,
    }


@pytest.fixture
def mercato(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the real command: `mercato("verify", "--json")`; its exit code, stdout and stderr come back."""

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("mercato")), *words],
            env={**environment, **more}, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip

    return run


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data beside the checkout; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the real data of ../shared/data is absent")
    return SHARED


def _superuser(settings: Settings) -> Connection:
    return driver.connect(
        postgres.endpoint(settings, database="postgres", user=postgres.SUPERUSER), autocommit=True
    )
