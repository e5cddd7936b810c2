"""Administration of the broker: topics, their identity, their end. The one module that imports kafka-python.

Guarantee: a topic is known by its id, so one that was deleted and made again, or a broker that lost its
memory, is a new source whose positions start at its beginning; no record is skipped or taken for an old one.
"""

import logging
import time
from dataclasses import dataclass

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import NewTopic, OffsetSpec
from kafka.errors import KafkaError, TopicAlreadyExistsError
from kafka.protocol.consumer import IsolationLevel

from mercato.brokers import kafka_python
from mercato.errors import MercatoError, ServiceUnavailable

logging.getLogger("kafka").setLevel(
    logging.CRITICAL
)  # its retries at INFO and ERROR say nothing that we don't


@dataclass(frozen=True)
class Topic:
    """A topic as the broker knows it: name, id (uuid) and partition numbers."""

    name: str
    topic_id: str
    partitions: tuple[int, ...]


class Admin:
    """A connection for administration; use as a context manager."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        try:
            self._client = KafkaAdminClient(
                **kafka_python(bootstrap_servers), request_timeout_ms=10_000, bootstrap_timeout_ms=10_000
            )
        except (KafkaError, OSError, ValueError) as error:
            raise self._away(error) from None

    def __enter__(self) -> "Admin":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def topic(self, name: str) -> Topic | None:
        """The topic, or None if there is none of this name."""
        try:
            found = self._client.describe_topics([name])
        except KafkaError as error:
            raise self._away(error) from None
        for entry in found:
            if entry["name"] == name and entry["error_code"] == 0:
                numbers = tuple(sorted(part["partition_index"] for part in entry["partitions"]))
                return Topic(name, str(entry["topic_id"]), numbers)
        return None

    def ensure_topic(self, name: str, partitions: int) -> Topic:
        """The topic, created with this many partitions if there is none."""
        if found := self.topic(name):
            return found
        try:
            self._client.create_topics(
                [NewTopic(name=name, num_partitions=partitions, replication_factor=-1)]
            )
        except TopicAlreadyExistsError:
            pass  # another process was faster
        except KafkaError as error:
            raise MercatoError(
                f"topic {name} can't be created: {error}", "create it on the broker by hand"
            ) from None
        deadline = time.monotonic() + 30
        while True:  # Apache Kafka answers before every broker knows of it
            if found := self.topic(name):
                return found
            if time.monotonic() > deadline:
                raise MercatoError(
                    f"topic {name} was created 30 s ago, the broker doesn't show it", "try again"
                )
            time.sleep(0.1)

    def delete_topic(self, name: str) -> None:
        """Delete the topic with its records, if there is one, and wait until it is gone."""
        if not self.topic(name):
            return
        try:
            self._client.delete_topics([name])
        except KafkaError as error:
            raise MercatoError(
                f"topic {name} can't be deleted: {error}", "delete it on the broker by hand"
            ) from None
        deadline = time.monotonic() + 30
        while self.topic(name):
            if time.monotonic() > deadline:
                raise MercatoError(
                    f"topic {name} is still there 30 s after its deletion", "look at the broker"
                )
            time.sleep(0.1)

    def latest_offsets(self, topic: Topic) -> dict[int, int]:
        """Partition to its end as ListOffsets tells it to a reader of committed records: where the oldest open
        transaction begins, if there is one, for nothing behind that can be read yet. The local broker tells the
        second record of its last batch instead, so this is a lower bound: `ingestion.stream.end_offsets` reads on."""
        return self._offsets(topic, OffsetSpec.LATEST)

    def start_offsets(self, topic: Topic) -> dict[int, int]:
        """Partition to the offset of the oldest record that the broker still has."""
        return self._offsets(topic, OffsetSpec.EARLIEST)

    def _offsets(self, topic: Topic, spec: OffsetSpec) -> dict[int, int]:
        try:
            found = self._client.list_partition_offsets(
                {TopicPartition(topic.name, number): spec for number in topic.partitions},
                isolation_level=IsolationLevel.READ_COMMITTED,
            )
        except KafkaError as error:
            raise self._away(error) from None
        return {key.partition: int(value.offset) for key, value in found.items()}

    def _away(self, error: Exception) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"the Kafka broker at {self._servers} doesn't answer: {type(error).__name__}",
            "`mercato up` starts the local one; an outside one is named by MERCATO_KAFKA__BOOTSTRAP_SERVERS",
        )
