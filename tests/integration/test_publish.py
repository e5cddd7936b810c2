"""The stream on a real broker: all of it once, a visitor in order; a broker that is away is an error."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from data_generator import live, publish, simulate
from data_generator.config import Config, midnight
from mercato.errors import ServiceUnavailable
from mercato.kafka_admin import Admin
from mercato.services import broker, endpoints
from mercato.settings import Settings

HISTORY = Config(7, datetime(2026, 3, 29, tzinfo=UTC), 5, 100, 0.2)


@pytest.fixture
def mortal(tmp_path: Path, services: Settings) -> Iterator[Settings]:
    """Settings of a broker of one's own, to be stopped."""
    own = services.model_copy(update={"home": tmp_path})
    broker.start(own)
    yield own
    broker.stop(own)


def received(settings: Settings, topic: str) -> dict[int, list[tuple[str, bytes]]]:
    """Keys and values of each partition, in order."""
    consumer = Consumer(
        {"bootstrap.servers": endpoints.kafka(settings), "group.id": "test", "enable.partition.eof": True}
    )

    def to_the_end() -> Iterator[Message]:
        # The end is where a fetch finds none: the wheel's broker names end offsets that are too low.
        while (message := consumer.poll(30)) is not None and message.error() is None:
            yield message
        assert message is not None, "no answer"
        assert message.error().code() == KafkaError._PARTITION_EOF

    partitions = {}
    for number in consumer.list_topics(topic).topics[topic].partitions:
        consumer.assign([TopicPartition(topic, number, 0)])
        partitions[number] = [(message.key().decode(), message.value()) for message in to_the_end()]
    consumer.close()
    return partitions


@pytest.mark.parametrize("how", [{}, {"workers": 2}, {"rate": 20_000.0}, {"speed": 200_000.0}])
def test_the_topic_holds_exactly_what_the_truth_says_with_every_visitor_in_order(
    settings: Settings, topic: str, how: dict[str, Any]
) -> None:
    truth = simulate.run(HISTORY, publish.KafkaSink(endpoints.kafka(settings), topic), **how)
    partitions = received(settings, topic)
    records = [one for one in simulate.records(HISTORY) if one.line is not None]
    assert sum(len(held) for held in partitions.values()) == truth.sent == len(records)
    home = {key: number for number, held in partitions.items() for key, _ in held}
    for number, held in partitions.items():
        assert held == [(one.key, one.line) for one in records if home[one.key] == number]
    assert all(partitions.values())


def test_a_stop_leaves_on_the_topic_what_the_truth_counts(settings: Settings, topic: str) -> None:
    done = [0]
    truth = simulate.run(
        HISTORY,
        publish.KafkaSink(endpoints.kafka(settings), topic),
        progress=lambda sent, share: done.__setitem__(0, sent),
        stop=lambda: done[0] >= 1_000,
    )
    assert 1_000 <= truth.sent < 2_000  # a chunk also holds what isn't sent
    assert truth.sent == sum(len(held) for held in received(settings, topic).values())


def test_a_live_shop_sends_what_its_truth_counts_at_the_times_of_now(settings: Settings, topic: str) -> None:
    begun = time.time()
    config = Config(7, midnight(datetime.now(UTC)) + timedelta(days=2), 2, 360, 0.0)
    sink = publish.KafkaSink(endpoints.kafka(settings), topic)
    truth = live.run(config, sink, 300, stop=lambda: time.time() > begun + 4)
    lines = [line for held in received(settings, topic).values() for _, line in held]
    assert len(lines) == truth.sent == truth.loaded > 300
    for line in lines:
        moment = datetime.fromisoformat(json.loads(line)["receivedAt"]).timestamp()
        assert begun - 4 < moment < time.time()


def test_a_broker_that_is_away_is_an_error_within_seconds() -> None:
    begun = time.monotonic()
    with pytest.raises(ServiceUnavailable, match="mercato up"):
        publish.KafkaSink("127.0.0.1:9", "events")
    assert time.monotonic() - begun < 8


def test_a_broker_that_dies_on_the_way_is_an_error_and_no_truth_is_claimed(
    mortal: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    servers = endpoints.kafka(mortal)
    with Admin(servers) as admin:
        admin.ensure_topic("events", 3)
    sink = publish.KafkaSink(servers, "events", patience=3)
    capfd.readouterr()
    with pytest.raises(ServiceUnavailable, match=r"could not be delivered|not acknowledged"):
        simulate.run(HISTORY, sink, progress=lambda sent, share: broker.stop(mortal), rate=20_000)
    assert capfd.readouterr() == ("", "")  # librdkafka's own noise
