"""Events for tests."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def event(number: int | None = None, **more: Any) -> dict[str, Any]:
    """A good Product Viewed; the same number gives the same messageId."""
    return {
        "messageId": str(uuid.uuid4() if number is None else uuid.UUID(int=number)),
        "type": "track",
        "event": "Product Viewed",
        "anonymousId": "visitor",
        "timestamp": "2026-11-01T10:00:00.000Z",
        "properties": {"product_id": "p1", "price": 1.5},
        **more,
    }


def raw(content: Any) -> bytes:
    """The bytes that a collector would send."""
    return json.dumps(content, separators=(",", ":")).encode()
