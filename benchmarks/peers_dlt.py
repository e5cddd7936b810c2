"""The peer dlt, in its own environment: a topic to Postgres, in the shape of dlt's verified Kafka source.

Bad records go to a table of their own, a duplicate is merged away by its id, context and properties are JSON
columns; rows travel as CSV, by COPY, the fastest of dlt's formats for Postgres. Run by ingest_peers.py:

    peers_dlt.py BOOTSTRAP_SERVERS TOPIC POSTGRES_URL FOLDER
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

import dlt
import orjson
from confluent_kafka import Consumer, TopicPartition

JSON: Any = {name: {"data_type": "json"} for name in ("context", "properties", "traits")}
TIMES: Any = {name: {"data_type": "timestamp"} for name in ("timestamp", "sentAt", "receivedAt")}


@dlt.resource(  # type: ignore[untyped-decorator]
    name="events",
    write_disposition="merge",
    primary_key="messageId",
    columns={"messageId": {"data_type": "text"}, **JSON, **TIMES},
    max_table_nesting=0,
)
def records(servers: str, topic: str) -> Iterator[Any]:
    """Every record between the stored offsets and the topic's end, 3,000 at a time."""
    offsets = dlt.current.resource_state().setdefault("offsets", {})
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "dlt", "auto.offset.reset": "earliest"})
    ends, starts = {}, []
    for number in consumer.list_topics(topic).topics[topic].partitions:
        start = offsets.get(str(number), 0)
        ends[number] = consumer.get_watermark_offsets(TopicPartition(topic, number))[1]
        starts.append(TopicPartition(topic, number, start))
    consumer.assign(starts)
    left = sum(ends[start.partition] - start.offset for start in starts)
    while left > 0:
        good: list[Any] = []
        bad: list[Any] = []
        for message in consumer.consume(3_000, timeout=3):
            offsets[str(message.partition())] = message.offset() + 1
            left -= 1
            try:
                event = orjson.loads(message.value())
                event["messageId"]
            except (ValueError, KeyError, TypeError):
                at = {"partition": message.partition(), "position": message.offset()}
                bad.append({**at, "raw": message.value().hex()})
            else:
                good.append(event)
        yield good
        if bad:
            yield dlt.mark.with_table_name(bad, "bad")
    consumer.close()


def main() -> None:
    """Load what is there."""
    servers, topic, url, folder = sys.argv[1:]
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    pipeline = dlt.pipeline(
        "peer", destination=dlt.destinations.postgres(url), dataset_name="dlt", pipelines_dir=folder
    )
    pipeline.run(records(servers, topic), loader_file_format="csv")


if __name__ == "__main__":
    main()
