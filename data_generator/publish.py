"""Where the stream goes: a broker, a file, standard output. The one module here that imports confluent-kafka.

Guarantee: after `close` every record sent is safe (acknowledged by all replicas, or in a whole file); if
that can't be had, an error says so.
"""

import logging
from typing import Any

from confluent_kafka import KafkaException, Producer

from data_generator.facts import Record
from data_generator.files import FileSink, StreamSink
from mercato.brokers import librdkafka
from mercato.errors import ServiceUnavailable

__all__ = ["FileSink", "KafkaSink", "StreamSink"]

#: Seconds that a broker may take to answer the first question.
_ANSWER = 5.0

_silent = logging.getLogger("mercato.librdkafka")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class KafkaSink:
    """Records to a topic, a visitor's in order on one partition, each there once.

    Raises:
        ServiceUnavailable: the broker doesn't answer within seconds.

    `patience`: seconds until a record that is not acknowledged counts as undeliverable. `linger_ms`: how long a batch
    waits for more records; few batches, as the local broker walks over all that it holds at every fetch.
    """

    def __init__(
        self, bootstrap_servers: str, topic: str, patience: float = 30.0, linger_ms: int = 500
    ) -> None:
        self._servers = bootstrap_servers
        self._topic = topic
        self._patience = patience
        self._failed = 0
        self._why = ""
        self._producer = Producer(
            {
                **librdkafka(bootstrap_servers),
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "lz4",
                "linger.ms": linger_ms,
                "partitioner": "murmur2",  # by the key alone, as Java's clients do it
                "message.timeout.ms": int(patience * 1_000),
                "log_level": 0,
            },
            logger=_silent,
        )
        try:
            self._producer.list_topics(topic, timeout=_ANSWER)
        except KafkaException as error:
            raise self._away(error.args[0].str()) from None

    def send(self, records: list[Record]) -> None:
        """Queue records; waits while the queue is full.

        Raises:
            ServiceUnavailable: a record before these could not be delivered.
        """
        produce, topic = self._producer.produce, self._topic
        for record in records:
            while True:
                try:
                    produce(topic, record.line, record.key, on_delivery=self._delivered)
                    break
                except BufferError:
                    self._producer.poll(0.1)
                    self._check()
        self._producer.poll(0)
        self._check()

    def close(self) -> None:
        """Wait for the acknowledgement of everything.

        Raises:
            ServiceUnavailable: some of it never came.
        """
        left = self._producer.flush(self._patience + 5)
        self._check()
        if left:
            raise self._away(f"{left} records are not acknowledged")

    def abort(self) -> None:
        """Drop what still waits."""
        self._producer.purge(blocking=False)

    def _delivered(self, error: Any, _: Any) -> None:
        if error is not None:
            self._failed += 1
            self._why = error.str()

    def _check(self) -> None:
        if self._failed:
            raise self._away(f"{self._failed} records could not be delivered: {self._why}")

    def _away(self, why: str) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"the Kafka broker at {self._servers}: {why}",
            "`mercato up` starts the local one; an outside one is named by MERCATO_KAFKA__BOOTSTRAP_SERVERS",
        )
