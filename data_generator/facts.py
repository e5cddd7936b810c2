"""What passes between the parts of the simulation: events, what they mean for the numbers, and records.

Plain tuples, because there are millions of them. Money is in integer minor units of `currency`; times are in
milliseconds since 1970, UTC.
"""

from typing import NamedTuple


class Line(NamedTuple):
    """A line of an order: pieces, and price × quantity."""

    product_id: str
    units: int
    gross: int


class Sale(NamedTuple):
    """What an Order Completed adds to the numbers. `user_id` is a guest's one-off id where there is no account."""

    order_id: str
    user_id: str
    country: str
    currency: str
    lines: tuple[Line, ...]
    discount: int
    shipping: int
    tax: int


class Refund(NamedTuple):
    """What an Order Refunded takes from the numbers: the merchandise given back after its share of the discount."""

    order_id: str
    user_id: str
    country: str
    currency: str
    subtotal: int


class Event(NamedTuple):
    """An event before it is sent. `who`, `context` and `body` are JSON (see encode).

    `key` keeps a visitor's events in order on the stream; `visitor` is the anonymousId, None if server side;
    `channel` is that of the visit: paid, email, social, affiliate, organic, referral or direct.
    """

    at: int
    name: str
    message_id: str
    key: str
    visitor: str | None
    who: str
    context: str
    body: str
    fact: Sale | Refund | None = None
    channel: str = "direct"


class Record(NamedTuple):
    """One record as the stream gets it, sortable by its first two fields.

    `line` is one line without its end, or None where nothing is sent, but the truth must know: an event that is
    overdue and will still come (a promise: the truth keeps its visitor's sessions open), or one that a silence
    swallowed. `fault` is a name of fault_kinds.KINDS, faults.SILENCE or empty. The rest is the event's.
    """

    delivered: int
    message_id: str
    key: str
    line: bytes | None
    fault: str
    at: int
    visitor: str | None
    fact: Sale | Refund | None
    channel: str
    name: str = ""
