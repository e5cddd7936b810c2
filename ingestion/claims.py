"""Claims the ids of a batch's events in raw.message_ids, where an id is unique over all months and partitions.

Guarantee: each id is claimed once, whoever has it; the claim is part of the batch's transaction.
"""

import msgspec

from ingestion.batch import Batch
from ingestion.sql import query
from mercato.postgres import Connection, Duplicate


class CollisionError(Exception):
    """Undoes a batch whose claims don't hold any more: it is to be written anew."""


def claim(connection: Connection, batch: Batch, batch_id: int, left: frozenset[str]) -> set[int]:
    """Claim the ids of the batch but those that are `left` to others; the places of its duplicates.

    Of two records with one id the later is one; those whose id is left to others, too.

    Raises:
        CollisionError: another transaction claimed one of the ids meanwhile.
    """
    # Sorted: neighbours share a page of the index, which takes a third off, and workers that have the same ids
    # wait for each other in one order.
    ids = sorted(batch.ids.keys() - left)
    words = {"ids": msgspec.json.encode(ids).decode(), "batch_id": batch_id}
    try:
        row = connection.execute(query("claim_ids"), words).fetchone()
    except Duplicate:
        raise CollisionError from None
    known = msgspec.json.decode(row[0]) if row and row[0] else ()
    return batch.repeated.union(batch.ids[one] for one in (*known, *(batch.ids.keys() & left)))
