"""UCI Online Retail → events of the contract: an example of an adapter, to copy for a shop's own export.

An invoice is an Order Completed with its rows as lines, so that rows which are exactly alike stay two lines. A
cancellation (`C…`) is an Order Refunded under its own number: the file doesn't say which invoice it takes back. Rows
without a price and with a negative quantity correct the stock: Product Updated, of no customer. Times are taken as UTC.
An id is of file and row, so that the same file sent again adds nothing.
"""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, str]
Numbered = list[tuple[int, Row]]


def events(path: Path) -> Iterator[dict[str, Any]]:
    """The events of one day's file, gzipped CSV; an invoice is never in two files."""
    invoices: dict[str, Numbered] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            if row["InvoiceNo"].startswith("C") or int(row["Quantity"]) > 0:
                invoices.setdefault(row["InvoiceNo"], []).append((number, row))
            else:
                yield _event(path, number, row, "Product Updated", {"product_id": row["StockCode"]})
    for invoice, rows in invoices.items():
        properties = {"order_id": invoice, "currency": "GBP", "products": [_line(row) for _, row in rows]}
        if invoice.startswith("C"):
            cents = sum(-int(row["Quantity"]) * round(float(row["UnitPrice"]) * 100) for _, row in rows)
            yield _event(path, *rows[0], "Order Refunded", properties | {"subtotal": cents / 100})
        else:
            yield _event(path, *rows[0], "Order Completed", properties)


def _event(path: Path, number: int, row: Row, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    customer = row["CustomerID"].removesuffix(".0")
    if name == "Product Updated":
        who = {}
    elif customer:
        who = {"userId": customer}
    else:  # a guest, known by the invoice alone
        who = {"anonymousId": f"invoice {row['InvoiceNo']}"}
    return {
        "messageId": f"online_retail:{path.name}:{number}",
        "type": "track",
        "event": name,
        "timestamp": row["InvoiceDate"].replace(" ", "T") + "Z",
        "context": {"location": {"country": row["Country"]}},
        "properties": properties,
    } | who


def _line(row: Row) -> dict[str, Any]:
    return {
        "product_id": row["StockCode"],
        "name": row["Description"] or None,
        "price": float(row["UnitPrice"]),
        "quantity": abs(int(row["Quantity"])),
    }
