"""Records to a topic, the topic to the warehouse, and what the books say then."""

from confluent_kafka import Producer

from ingestion.consume import Consumer
from ingestion.ledger import Balance, add_in_flight, read_books
from ingestion.stream import end_offsets
from mercato.kafka_admin import Admin
from mercato.postgres import Connection
from mercato.services import endpoints
from mercato.settings import Settings


def send(settings: Settings, records: list[bytes | None], key: str = "visitor") -> None:
    producer = Producer({"bootstrap.servers": endpoints.kafka(settings)})
    for record in records:
        producer.produce(settings.kafka.topic, record, key=key)
        producer.poll(0)
    assert producer.flush(30) == 0


def load(settings: Settings) -> None:
    Consumer(settings, endpoints.warehouse(settings), endpoints.kafka(settings), until_empty=True).run()


def books(settings: Settings, connection: Connection) -> Balance:
    found = read_books(connection)
    with Admin(endpoints.kafka(settings)) as admin:
        topic = admin.topic(settings.kafka.topic)
        assert topic
        add_in_flight(
            found, topic, admin.start_offsets(topic), end_offsets(endpoints.kafka(settings), admin, topic)
        )
    return found
