"""Where the stream goes: a broker, a file, standard output. The one module here that imports confluent-kafka.

Guarantee: after `close` every record sent is safe (acknowledged by all replicas, or in a whole file); if
that can't be had, an error says so.
"""

import errno
import logging
import os
from pathlib import Path
from typing import IO, Any

from confluent_kafka import KafkaException, Producer

from data_generator.facts import Record
from mercato.errors import MercatoError, ServiceUnavailable, WrongUse

FILE_NAME = "events.ndjson"
#: Seconds that a broker may take to answer the first question.
_ANSWER = 5.0

_silent = logging.getLogger("mercato.librdkafka")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class KafkaSink:
    """Records to a topic, a visitor's in order on one partition, each there once.

    Raises:
        ServiceUnavailable: the broker doesn't answer within seconds.

    `patience`: seconds until a record that is not acknowledged counts as undeliverable.
    """

    def __init__(self, bootstrap_servers: str, topic: str, patience: float = 30.0) -> None:
        self._servers = bootstrap_servers
        self._topic = topic
        self._patience = patience
        self._failed = 0
        self._why = ""
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "lz4",
                "linger.ms": 20,
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


class FileSink:
    """Records to DIR/events.ndjson, one a line; the name appears, or changes hands, when the file is whole.

    Raises:
        WrongUse: the folder can't be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._part = folder / f"{FILE_NAME}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("wb")
        except OSError as error:
            raise WrongUse(f"{folder} can't be written: {error.strerror}", "choose another --out") from None

    def send(self, records: list[Record]) -> None:
        """Append records."""
        _write(self._file, records)

    def close(self) -> None:
        """Put the whole file in its place."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self.path)

    def abort(self) -> None:
        """Remove what was begun."""
        self._part.unlink(missing_ok=True)
        self._file.close()


class StreamSink:
    """Records to an open binary stream, as standard output, one a line."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def send(self, records: list[Record]) -> None:
        """Write and flush records, so that a slow stream still flows.

        Raises:
            MercatoError: the reader went away.
        """
        try:
            _write(self._stream, records)
            self._stream.flush()
        except OSError as error:
            if error.errno != errno.EPIPE:
                raise
            raise MercatoError("the reader of the stream went away", "none, if that was meant") from None

    def close(self) -> None:
        """Nothing waits: each send is flushed."""

    def abort(self) -> None:
        """Nothing to undo."""


def _write(stream: IO[bytes], records: list[Record]) -> None:
    stream.write(b"".join([record.line + b"\n" for record in records if record.line is not None]))
