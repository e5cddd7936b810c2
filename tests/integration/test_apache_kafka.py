"""What only Apache Kafka can do to a consumer: transactions, retention, compaction, new partitions, a crash."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer as Client
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic, OffsetSpec

from ingestion.consume import Consumer
from ingestion.ledger import read_books
from ingestion.stream import Stream
from mercato.errors import PositionLost, ServiceUnavailable
from mercato.kafka_admin import Admin
from mercato.postgres import Connection
from mercato.services import endpoints
from mercato.settings import Settings
from tests.apache_kafka import Broker
from tests.conftest import skipped_without_apache_kafka
from tests.events import event, raw
from tests.loads import books, load, send

pytestmark = pytest.mark.apache_kafka
Mercato = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def admin(settings: Settings, topic: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": endpoints.kafka(settings)})


@pytest.fixture
def transactions(settings: Settings, topic: str) -> Producer:
    """A transactional producer, ready to begin."""
    producer = Producer({"bootstrap.servers": endpoints.kafka(settings), "transactional.id": topic})
    producer.init_transactions(30)
    return producer


@contextmanager
def consuming(environment: dict[str, str], **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """`mercato consume`, until the end of the block."""
    command = [str(Path(sys.executable).with_name("mercato")), "consume"]
    worker = subprocess.Popen(command, env=environment | more, stderr=subprocess.PIPE)
    try:
        yield worker
    finally:
        worker.terminate()
        worker.communicate()


def wait_until(ready: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def read_for_a_while(stream: Stream) -> None:
    for _ in range(100):
        stream.read(1, 0.1)


def transact(producer: Producer, topic: str, count: int, end: Callable[[float], None]) -> None:
    producer.begin_transaction()
    for _ in range(count):
        producer.produce(topic, raw(event()), key="visitor")
    producer.flush(30)  # an abort would drop what still waits
    end(30)


def create(servers: str, topic: NewTopic) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    (made,) = admin.create_topics([topic]).values()
    made.result(30)


def control(connection: Connection) -> int:
    row = connection.execute("select sum(control)::int from ops.ledger").fetchone()
    assert row
    return int(row[0])


def delete_before(admin: AdminClient, topic: str, offset: int) -> None:
    """Have the broker forget the records before the offset in the one partition that has any."""
    every = [TopicPartition(topic, number) for number in range(3)]
    ends = admin.list_offsets(dict.fromkeys(every, OffsetSpec.latest()))
    (filled,) = [partition for partition, found in ends.items() if found.result(30).offset]
    (done,) = admin.delete_records([TopicPartition(topic, filled.partition, offset)]).values()
    done.result(30)


def test_an_aborted_transactions_records_are_not_loaded_and_the_ledger_says_where_they_lay(
    settings: Settings, topic: str, warehouse: Connection, transactions: Producer
) -> None:
    transact(transactions, topic, 50, transactions.commit_transaction)
    transact(transactions, topic, 30, transactions.abort_transaction)
    transact(transactions, topic, 20, transactions.commit_transaction)
    transact(transactions, topic, 10, transactions.abort_transaction)  # the topic ends in a hole
    load(settings)
    found = books(settings, warehouse)
    assert (found.sent, found.loaded, found.in_flight, found.residual) == (70, 70, 0, 0)
    assert found.differences == []
    assert control(warehouse) == 30 + 10 + 4  # the aborted records, and a marker a transaction


def test_an_open_transaction_ends_the_load_before_it_and_is_loaded_once_it_is_committed(
    settings: Settings, topic: str, warehouse: Connection, transactions: Producer
) -> None:
    send(settings, [raw(event()) for _ in range(10)])
    transactions.begin_transaction()
    for _ in range(5):
        transactions.produce(topic, raw(event()), key="visitor")
    transactions.flush(30)
    send(settings, [raw(event()) for _ in range(3)])  # behind the open transaction: not to be read yet
    stop = threading.Event()
    alarm = threading.Timer(60, stop.set)
    alarm.start()
    Consumer(
        settings, endpoints.warehouse(settings), endpoints.kafka(settings), until_empty=True, stop=stop
    ).run()
    alarm.cancel()
    assert not stop.is_set(), "it waited for a transaction that may stay open for ever"
    found = books(settings, warehouse)
    # What can't be read yet isn't sent yet.
    assert (found.loaded, found.in_flight, found.residual) == (10, 0, 0)
    transactions.commit_transaction(30)
    wait_until(lambda: books(settings, warehouse).in_flight == 5 + 3 + 1)  # its marker is written soon after
    load(settings)
    found = books(settings, warehouse)
    assert (found.loaded, found.in_flight, found.residual, found.differences) == (18, 0, 0, [])


def test_records_deleted_by_retention_before_they_were_loaded_stop_the_load_and_are_named(
    settings: Settings, topic: str, warehouse: Connection, admin: AdminClient, mercato: Mercato
) -> None:
    send(settings, [raw(event()) for _ in range(5)])
    load(settings)
    send(settings, [raw(event()) for _ in range(50)])
    delete_before(admin, topic, 30)
    lost = r"partition \d: the next record to load is 5, the broker has 30 to 54"
    with pytest.raises(PositionLost, match=lost):
        load(settings)
    for words in (["consume", "--until-empty"], ["consume"]):
        done = mercato(*words)
        assert done.returncode == 1
        assert "the next record to load is 5, the broker has 30 to 54" in done.stderr
        assert "raise its retention" in done.stderr
    assert read_books(warehouse).received == 5


def test_a_topic_older_than_its_retention_is_loaded_from_the_first_record_it_still_has(
    settings: Settings, topic: str, warehouse: Connection, admin: AdminClient
) -> None:
    send(settings, [raw(event()) for _ in range(50)])
    delete_before(admin, topic, 30)
    load(settings)
    found = books(settings, warehouse)
    assert (found.loaded, found.in_flight, found.residual, found.differences) == (20, 0, 0, [])


def test_the_holes_of_a_compacted_topic_are_counted_and_the_ledger_balances(
    settings: Settings, warehouse: Connection
) -> None:
    topic, servers = settings.kafka.topic, endpoints.kafka(settings)
    often = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.001", "segment.ms": "100"}
    create(servers, NewTopic(topic, 1, config=often))
    for number in range(100):
        send(settings, [raw(event())], key=f"visitor {number % 10}")
    time.sleep(0.2)
    send(settings, [raw(event())], key="the last")  # opens a segment: the one before may be compacted

    def held() -> int:
        client = Client({"bootstrap.servers": servers, "group.id": "held", "enable.partition.eof": True})
        client.assign([TopicPartition(topic, 0, 0)])
        many = 0
        while (one := client.poll(30)) is not None and one.error() is None:
            many += 1
        client.close()
        return many

    wait_until(lambda: held() <= 11)
    load(settings)
    found = books(settings, warehouse)
    assert (found.received, found.loaded, found.in_flight, found.residual) == (11, 11, 0, 0)
    assert found.differences == []
    assert control(warehouse) == 90


def test_partitions_added_while_consumers_run_are_read(
    settings: Settings, environment: dict[str, str], topic: str, warehouse: Connection, admin: AdminClient
) -> None:
    send(settings, [raw(event())])
    with consuming(environment) as first:
        wait_until(lambda: read_books(warehouse).received == 1)
        (grown,) = admin.create_partitions([NewPartitions(topic, 6)]).values()
        grown.result(30)
        with consuming(environment) as second:  # the group is shared out anew, new partitions included
            producer = Producer({"bootstrap.servers": endpoints.kafka(settings)})
            wait_until(lambda: len(producer.list_topics(topic).topics[topic].partitions) == 6)
            for number in range(6):
                for _ in range(10):
                    producer.produce(topic, raw(event()), partition=number)
            assert producer.flush(30) == 0
            wait_until(lambda: read_books(warehouse).received == 61)
            for worker in (first, second):
                assert worker.poll() is None, (worker.stderr.read() if worker.stderr else b"").decode()
    found = books(settings, warehouse)
    assert (found.loaded, found.residual, found.differences) == (61, 0, [])


def test_partitions_that_are_assigned_but_came_after_the_topic_was_opened_make_it_be_opened_anew(
    settings: Settings, topic: str, admin: AdminClient
) -> None:
    with Admin(endpoints.kafka(settings)) as ours:
        stream = Stream(endpoints.kafka(settings), "group", topic, ours)
        (grown,) = admin.create_partitions([NewPartitions(topic, 6)]).values()
        grown.result(30)
        stream.subscribe(lambda numbers, _: dict.fromkeys(numbers, 0))
        with pytest.raises(ServiceUnavailable):
            read_for_a_while(stream)
        stream.close()


def test_a_broker_killed_and_started_again_loses_nothing_and_doubles_nothing(
    tmp_path: Path, settings: Settings, environment: dict[str, str], warehouse: Connection
) -> None:
    broker = Broker(tmp_path)
    with skipped_without_apache_kafka():
        servers = broker.start()
    own = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"bootstrap_servers": servers})}
    )
    try:
        create(servers, NewTopic(own.kafka.topic, 3))
        address = {"MERCATO_KAFKA__BOOTSTRAP_SERVERS": servers, "MERCATO_INGESTION__BATCH_ROWS": "100"}
        with consuming(environment, **address) as worker:
            send(own, [raw(event()) for _ in range(10_000)])
            wait_until(lambda: read_books(warehouse).received > 0)
            broker.kill()
            assert read_books(warehouse).received < 10_000, "the kill came too late to prove anything"
            assert broker.start() == servers
            wait_until(lambda: read_books(warehouse).received == 10_000)
            assert worker.poll() is None
        found = books(own, warehouse)
        assert (found.sent, found.loaded, found.duplicate, found.residual) == (10_000, 10_000, 0, 0)
        assert found.differences == []
    finally:
        broker.stop()
