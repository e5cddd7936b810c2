"""The peer that tutorials show: consume, json.loads, insert … on conflict do nothing, commit each 1,000 rows.

What isn't an event is printed away. Run by ingest_peers.py, in the environment of the peers:

    peers_rowwise.py BOOTSTRAP_SERVERS TOPIC POSTGRES_URL EVENTS
"""

import json
import sys

import psycopg2
from confluent_kafka import Consumer

INSERT = """
insert into events (message_id, type, event, anonymous_id, timestamp, sent_at, context, properties)
values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict (message_id) do nothing
"""


def main() -> None:
    """Load so many records, then stop."""
    servers, topic, url, count = sys.argv[1:]
    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "rowwise", "auto.offset.reset": "earliest",
         "enable.auto.commit": False}
    )  # fmt: skip
    consumer.subscribe([topic])
    left = int(count)
    while left:
        message = consumer.poll(1)
        if message is None or message.error():
            continue
        left -= 1
        try:
            event = json.loads(message.value())
        except ValueError:
            event = None
        if event:
            cursor.execute(
                INSERT,
                (event["messageId"], event["type"], event["event"], event["anonymousId"], event["timestamp"],
                 event["sentAt"], json.dumps(event["context"]), json.dumps(event["properties"])),
            )  # fmt: skip
        if left % 1_000 == 0:
            connection.commit()
            consumer.commit(asynchronous=False)
    connection.commit()
    consumer.close()


if __name__ == "__main__":
    main()
