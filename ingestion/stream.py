"""Reads a Kafka topic. The one module that consumes; positions come from the caller, never from the broker.

Guarantee: records are those of the topic with the id it was opened with. `check_same_topic` asks whether that
topic still stands, called after reading and before writing, so records of a topic that was made anew under
the same name are never booked to the old one.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ingestion.records import Record
from mercato.brokers import librdkafka
from mercato.errors import MercatoError, PositionLost, ServiceUnavailable
from mercato.kafka_admin import Admin, Topic

PATIENCE = 10.0  # seconds
QUEUE_KBYTES = 6_144  # read ahead of the batch, in all
#: Given the partitions that the group assigned to us, and the oldest offset of all, where each continues.
Positions = Callable[[list[int], dict[int, int]], dict[int, int]]


@dataclass(slots=True)
class Read:
    """What one read brought. `ends`: partition to the position before which nothing unread is left."""

    records: list[Record] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)


class Stream:
    """A member of the consumer group on one topic."""

    def __init__(
        self, bootstrap_servers: str, group: str, topic: str, admin: Admin, fetch_wait_ms: int = 50
    ) -> None:
        self._admin = admin
        found = admin.topic(topic)
        if found is None:
            raise MercatoError(
                f"there is no topic {topic}", "`mercato up` makes it, or set MERCATO_KAFKA__TOPIC"
            )
        self.topic: Topic = found
        self.source = f"kafka:{topic}"
        self.assigned: dict[int, int] | None = None
        self._servers = bootstrap_servers
        own_group = f"{group}-{found.topic_id}"
        self._consumer = _consumer(bootstrap_servers, own_group, len(found.partitions), fetch_wait_ms)

    def take_all(self, positions: Positions) -> None:
        """Read every partition, without the seconds that joining a group takes; writes are fenced all the same."""
        at = self._continue(positions, list(self.topic.partitions))
        self.assigned = at
        self._consumer.assign([TopicPartition(self.topic.name, number, at[number]) for number in at])

    def subscribe(self, positions: Positions) -> None:
        """Join the group; at each assignment `positions` says where to start."""

        def assign(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            at = self._continue(positions, [part.partition for part in partitions])
            self.assigned = at
            consumer.assign([TopicPartition(self.topic.name, number, at[number]) for number in at])

        def revoke(consumer: Consumer, _: list[TopicPartition]) -> None:
            self.assigned = None
            consumer.unassign()

        self._consumer.subscribe([self.topic.name], on_assign=assign, on_revoke=revoke, on_lost=revoke)

    def read(self, most: int, seconds: float) -> Read:
        """What has come, waiting at most `seconds` for it.

        Raises:
            PositionLost: the broker no longer has the next record.
            ServiceUnavailable: the broker is away, or the topic is gone.
        """
        try:
            messages = self._consumer.consume(most, timeout=seconds)
        except KafkaException as error:
            raise ServiceUnavailable(f"the Kafka broker is away: {error}", "none: tried again") from None
        records = [
            (one.partition(), one.offset(), one.value(), stamp[1] if (stamp := one.timestamp())[0] else None)
            for one in messages
            if one.error() is None
        ]
        read = Read(cast(list[Record], records))  # whole, where there is no error
        if len(records) < len(messages):
            for message in messages:
                if message.error() is not None:
                    self._note(read, message)
        return read

    def check_same_topic(self) -> None:
        """Ask whether the topic still is the one that was opened.

        Raises:
            ServiceUnavailable: it was made anew, or has more partitions now.
        """
        if self._admin.topic(self.topic.name) != self.topic:
            raise ServiceUnavailable(
                f"{self.source} was made anew or has new partitions", "none: it is opened anew"
            )

    def end_offsets(self) -> dict[int, int]:
        """Where each partition ends now."""
        return end_offsets(self._servers, self._admin, self.topic)

    def known_ends(self) -> dict[int, int]:
        """Where each assigned partition ends, as the last fetch told; none for what wasn't fetched yet."""
        ends = {}
        for number in self.assigned or ():
            marks = self._consumer.get_watermark_offsets(TopicPartition(self.topic.name, number), cached=True)
            if marks and marks[1] >= 0:
                ends[number] = marks[1]
        return ends

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _note(self, read: Read, message: Message) -> None:
        error, partition, offset = message.error(), message.partition(), message.offset()
        code = error.code() if error is not None else None
        if code == KafkaError._PARTITION_EOF and partition is not None and offset is not None:
            read.ends[partition] = offset
            return
        if error is not None and code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise ServiceUnavailable(f"{self.topic.name}: {error.str()}", "none: positions are read again")
        raise ServiceUnavailable(f"{self.topic.name}: {error}", "none: tried again")

    def _continue(self, positions: Positions, assigned: list[int]) -> dict[int, int]:
        """Where each assigned partition continues, if the broker still has what comes next."""
        if set(assigned) - set(self.topic.partitions):
            raise ServiceUnavailable(f"{self.topic.name} has new partitions", "none: it is opened anew")
        start = self._admin.start_offsets(self.topic)
        at = positions(assigned, start)
        end = self.end_offsets()  # after the positions: another worker moves them while the topic grows
        for partition, position in at.items():
            if not start[partition] <= position <= end[partition]:
                raise PositionLost(
                    f"{self.topic.name} partition {partition}: the next record to load is {position}, the broker "
                    f"has {start[partition]} to {end[partition] - 1}",
                    "the broker deleted records before they were loaded: raise its retention, restore the topic, "
                    "or accept the loss by moving next_position in ops.positions",
                )
        return at


def end_offsets(bootstrap_servers: str, admin: Admin, topic: Topic) -> dict[int, int]:
    """Partition to the offset that its next record will get, as a reader finds it.

    Of a topic that grows, where it ended when the first record was fetched: a reader may never be at the end.

    Raises:
        ServiceUnavailable: the broker doesn't tell within `PATIENCE` seconds.
    """
    ends: dict[int, int] = {}
    high: dict[int, int] = {}
    latest = admin.latest_offsets(topic)
    consumer = _consumer(bootstrap_servers, "mercato-end-offsets", len(topic.partitions))
    try:
        consumer.assign([TopicPartition(topic.name, number, offset) for number, offset in latest.items()])
        deadline = time.monotonic() + PATIENCE
        while len(ends) < len(latest):
            if time.monotonic() > deadline:
                raise ServiceUnavailable(
                    f"the broker doesn't tell where {topic.name} ends", "`mercato status`"
                )
            for message in consumer.consume(1_000, timeout=0.1):
                error, partition, offset = message.error(), message.partition() or 0, message.offset() or 0
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    ends.setdefault(partition, offset)
                elif error is None:
                    if partition not in high:
                        _, high[partition] = consumer.get_watermark_offsets(
                            TopicPartition(topic.name, partition), cached=True
                        )
                    if offset + 1 >= high[partition]:
                        ends.setdefault(partition, offset + 1)
    finally:
        consumer.close()
    return ends


def _consumer(bootstrap_servers: str, group: str, partitions: int, fetch_wait_ms: int = 50) -> Consumer:
    logger = logging.getLogger("mercato.librdkafka")
    logger.setLevel(logging.CRITICAL)  # it reports each retry of a connection; we say "away" once
    return Consumer(
        {
            **librdkafka(bootstrap_servers),
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "session.timeout.ms": 6_000,
            "topic.metadata.refresh.interval.ms": 10_000,  # until new partitions are found
            "queued.max.messages.kbytes": max(256, QUEUE_KBYTES // max(1, partitions)),  # of each partition
            "fetch.queue.backoff.ms": 20,
            # For hours a consumer waits longer: the local broker's every fetch walks over all its batches.
            "fetch.wait.max.ms": fetch_wait_ms,
        },
        logger=logger,
    )
