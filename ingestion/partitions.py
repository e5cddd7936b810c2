"""Partitions of raw.events: made ahead, and dropped whole when retention says so.

Guarantee: an event never lacks a partition (the default one takes what no month is ready for, until its month
is made), and what retention drops is noted in ops.dropped_months, so that the books go on to balance.
"""

from ingestion.sql import query
from mercato.postgres import Connection

MONTHS_AHEAD = 3


def make(connection: Connection) -> list[str]:
    """Make the partitions of this month and of the next three; returns the names of the new ones."""
    rows = connection.execute(query("make_partitions"), {"months_ahead": MONTHS_AHEAD}).fetchall()
    return [name for (name,) in rows]


def drop(connection: Connection, keep_months: int) -> list[str]:
    """Drop months of loading before the last `keep_months` whole ones, with the ids of their events.

    An event of a dropped month that is sent again counts as new.
    """
    rows = connection.execute(query("drop_partitions"), {"keep_months": keep_months}).fetchall()
    return [name for (name,) in rows]
