"""REES46's clickstream → events of the contract: an example of an adapter, to copy for a shop's own export.

A row is an event: view, cart and purchase are Product Viewed, Product Added and Order Completed, an order of one piece.
The shop's own session is the visitor, so that its visits are counted as the shop counts them. Prices are in dollars.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = {"view": "Product Viewed", "cart": "Product Added", "purchase": "Order Completed"}


def events(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a CSV file, one a row."""
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            product = {
                "product_id": row["product_id"],
                "brand": row["brand"] or None,
                "category": row["category_code"] or None,
                "price": float(row["price"]),
                "quantity": 1,
            }
            order = {"order_id": f"{path.name}:{number}", "currency": "USD", "products": [product]}
            yield {
                "messageId": f"rees46:{path.name}:{number}",
                "type": "track",
                "event": NAMES[row["event_type"]],
                "userId": row["user_id"],
                "anonymousId": row["user_session"],
                "timestamp": row["event_time"].removesuffix(" UTC").replace(" ", "T") + "Z",
                "properties": order if row["event_type"] == "purchase" else product | {"currency": "USD"},
            }
