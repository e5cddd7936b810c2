"""TLS to Postgres and SASL over TLS to Kafka, by settings: who isn't the one that was expected is refused."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from data_generator.publish import KafkaSink
from mercato import postgres as driver
from mercato.errors import ServiceUnavailable, WrongUse
from mercato.kafka_admin import Admin
from mercato.postgres import Connection
from mercato.services import endpoints
from mercato.settings import Kafka, Settings
from tests import apache_kafka
from tests.conftest import skipped_without_apache_kafka
from tests.tls import Door, authority

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def door(settings: Settings, tmp_path: Path) -> Iterator[Door]:
    authority(tmp_path, "ours")
    authority(tmp_path, "theirs")
    with Door(settings.warehouse.host or "", settings.warehouse.port, tmp_path / "ours.both") as door:
        yield door


def through(settings: Settings, door: Door, root: Path) -> Settings:
    given = settings.warehouse.model_copy(
        update={"port": door.port, "sslmode": "verify-full", "sslrootcert": root}
    )
    return settings.model_copy(update={"warehouse": given})


def test_postgres_is_talked_to_over_tls_and_a_server_of_another_authority_is_refused(
    settings: Settings, door: Door, tmp_path: Path
) -> None:
    right = endpoints.warehouse(through(settings, door, tmp_path / "ours.ca"))
    with driver.connect(right) as connection:
        assert connection.pgconn.ssl_in_use
    with pytest.raises(ServiceUnavailable, match="certificate verify failed") as caught:
        driver.connect(endpoints.warehouse(through(settings, door, tmp_path / "theirs.ca")))
    assert "MERCATO_WAREHOUSE__SSLROOTCERT" in caught.value.cure
    with pytest.raises(ServiceUnavailable, match="does not support SSL"):  # the server itself
        driver.connect(endpoints.warehouse(settings.model_copy(update={
            "warehouse": settings.warehouse.model_copy(update={"sslmode": "require"})
        })))  # fmt: skip


def test_dbt_talks_to_postgres_over_tls(
    mercato: Run, door: Door, tmp_path: Path, warehouse: Connection
) -> None:
    words = {"MERCATO_WAREHOUSE__PORT": str(door.port), "MERCATO_WAREHOUSE__SSLMODE": "verify-full"}
    done = mercato(
        "transform", "--layer", "staging", **words, MERCATO_WAREHOUSE__SSLROOTCERT=str(tmp_path / "ours.ca")
    )
    assert done.returncode == 0, done.stderr
    assert door.passed > 3
    refused = mercato(
        "transform", "--layer", "staging", **words, MERCATO_WAREHOUSE__SSLROOTCERT=str(tmp_path / "theirs.ca")
    )
    assert refused.returncode == 1
    assert "certificate" in refused.stderr


PASSWORD = "a-generated-one"
SASL = """
listener.security.protocol.map=BROKER:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN
listener.name.broker.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="broker" password="x" user_broker="x" user_mercato="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={keys}/ours.both
ssl.truststore.type=PEM
ssl.truststore.location={keys}/ours.ca
"""


@pytest.fixture(scope="module")
def guarded(services: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An Apache Kafka that takes who knows the password, over TLS: its address, and the folder of the authorities."""
    keys = tmp_path_factory.mktemp("keys")
    authority(keys, "ours")
    authority(keys, "theirs")
    home = services.home / "apache-guarded"
    own = apache_kafka.Broker(home, more=SASL.replace("{keys}", str(keys)).replace("{password}", PASSWORD))
    with skipped_without_apache_kafka():
        servers = own.start()
    yield servers, keys
    own.kill()
    shutil.rmtree(home)


def guarded_settings(
    settings: Settings, guarded: tuple[str, Path], root: str = "ours.ca", **more: str
) -> Settings:
    servers, keys = guarded
    given = {
        "bootstrap_servers": servers, "topic": settings.kafka.topic, "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN", "username": "mercato", "password": PASSWORD, "ca_file": keys / root,
    }  # fmt: skip
    return settings.model_copy(update={"kafka": Kafka.model_validate({**given, **more})})


def test_events_go_through_a_broker_that_asks_for_a_password_over_tls(
    settings: Settings, guarded: tuple[str, Path], warehouse: Connection
) -> None:
    from tests.events import event, raw
    from tests.loads import books, load

    given = guarded_settings(settings, guarded)
    with Admin(endpoints.kafka(given)) as admin:
        admin.ensure_topic(given.kafka.topic, 3)
    sink = KafkaSink(endpoints.kafka(given), given.kafka.topic)
    sink.send([SimpleNamespace(line=raw(event()), key="visitor") for _ in range(20)])
    sink.close()
    load(given)
    found = books(given, warehouse)
    assert (found.residual, found.in_flight, found.differences) == (0, 0, [])
    assert warehouse.execute("select count(*) from raw.events").fetchone() == (20,)


def test_a_wrong_password_or_authority_is_refused_and_no_password_is_printed(
    settings: Settings, guarded: tuple[str, Path]
) -> None:
    for wrong in (
        guarded_settings(settings, guarded, password="wrong"),
        guarded_settings(settings, guarded, root="theirs.ca"),
        guarded_settings(settings, guarded, security_protocol="PLAINTEXT"),
    ):
        brokers = endpoints.kafka(wrong)
        with pytest.raises(ServiceUnavailable):
            Admin(brokers)
        with pytest.raises(ServiceUnavailable):
            KafkaSink(brokers, wrong.kafka.topic)
    assert (
        PASSWORD
        not in f"{endpoints.kafka(guarded_settings(settings, guarded))!r} {guarded_settings(settings, guarded)!r}"
    )


def test_sasl_without_a_user_or_password_is_wrong_use(settings: Settings) -> None:
    for given in ({}, {"username": "mercato"}):
        kafka = Kafka.model_validate({"bootstrap_servers": "x:1", "security_protocol": "SASL_SSL", **given})
        with pytest.raises(WrongUse, match=r"SASL without|kafka-mercato can't be read"):
            endpoints.kafka(settings.model_copy(update={"kafka": kafka}))
