"""Hears all that is sent, for the judge, and sends some of it again on another partition.

The shop's own repeats come on the partition of the original, so two workers never meet over one id: these make
them meet.
"""

import threading
from datetime import UTC, datetime

from data_generator.facts import Record as Sending
from data_generator.publish import KafkaSink
from ingestion.decode import Rejected, decode
from ingestion.stream import Stream
from mercato.chaos.verdict import Sent
from mercato.kafka_admin import Admin
from mercato.settings import Settings

#: Of so many good events one is sent again, once.
EVERY = 40


class Echo:
    """Reads the topic from its start in a thread of its own. `sent` is whole after `finish`."""

    def __init__(self, settings: Settings, servers: str) -> None:
        self.sent = Sent()
        self._limit = settings.ingestion.max_record_bytes
        self._admin = Admin(servers)
        self._stream = Stream(servers, "chaos-echo", settings.kafka.topic, self._admin)
        self._stream.take_all(lambda numbers, _: dict.fromkeys(numbers, 0))
        self._read = dict.fromkeys(self._stream.topic.partitions, 0)
        self._sink = KafkaSink(servers, settings.kafka.topic, linger_ms=settings.kafka.linger_ms)
        self._over = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._echo, name="echo")
        self._thread.start()

    def finish(self) -> None:
        """Stop repeating, and hear the rest of what was sent; raises what went wrong meanwhile."""
        self._over.set()
        self._thread.join()
        if self._error:
            raise self._error
        self._sink.close()
        ends = self._stream.end_offsets()
        while any(self._read[number] < end for number, end in ends.items()):
            self._hear()

    def close(self) -> None:
        """Let go."""
        self._over.set()
        self._thread.join()
        self._stream.close()
        self._admin.close()

    def _echo(self) -> None:
        try:
            while not self._over.is_set():
                again = self._hear()
                self._sink.send(again)
                self.sent.echoed += len(again)
        except Exception as error:
            self._error = error

    def _hear(self) -> list[Sending]:
        """Count what has come; returns what to send again, each with a key of its own. No echo of an echo."""
        again = []
        for partition, position, value, _ in self._stream.read(1_000, 0.1).records:
            self._read[partition] = position + 1
            event = decode(value, datetime.now(UTC), self._limit)
            if isinstance(event, Rejected):
                self.sent.bad += 1
                continue
            self.sent.ids[event.messageId] += 1
            if self.sent.ids[event.messageId] == 1 and len(self.sent.ids) % EVERY == 0:
                key = f"{partition}/{position}"
                again.append(Sending(0, event.messageId, key, value, "duplicate", 0, None, None, "", ""))
        return again
