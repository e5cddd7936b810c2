"""Claims the ids of a batch's events in raw.message_ids, where an id is unique over all months and partitions.

Guarantee: each id is claimed once, whoever has it; the claim is part of the batch's transaction.

To ask whether an id is known costs half of what its insert costs. A sender that repeats itself does so within seconds
mostly, so a consumer asks for the ids of its last batches alone. An older id that comes again makes the insert fail
as a whole: then all are asked for, in that batch and those after it. A wrong guess costs time, nothing else.
"""

from collections import deque
from dataclasses import dataclass

import msgspec

from ingestion.batch import Batch
from ingestion.sql import query
from mercato.postgres import Connection, Duplicate

#: Batches whose ids are remembered; of 6,000 events each they take 3 MB.
REMEMBERED = 4
#: Batches that ask for all their ids after a guess was wrong: of a stream with many old ids one batch in 33 is claimed
#: twice.
WARY = 32


@dataclass(slots=True)
class Guess:
    """Which ids of a batch may be known, and whether another one was."""

    suspects: frozenset[str]
    wrong: bool = False


class Memory:
    """What a consumer guesses from: the ids of its last batches."""

    def __init__(self) -> None:
        self._last: deque[frozenset[str]] = deque(maxlen=REMEMBERED)
        self._wary = 0

    def guess(self, ids: frozenset[str]) -> Guess:
        """For the next batch, which has these ids."""
        if self._wary:
            self._wary -= 1
            suspects = ids
        else:
            suspects = frozenset[str]().union(*(ids & one for one in self._last))
        self._last.append(ids)
        return Guess(suspects)

    def learn(self, guess: Guess) -> None:
        """Hear what became of a guess."""
        if guess.wrong:
            self._wary = WARY


class CollisionError(Exception):
    """Undoes a batch whose claims don't hold any more: it is to be written anew."""


def claim(
    connection: Connection, batch: Batch, batch_id: int, left: frozenset[str], guess: Guess | None
) -> set[int]:
    """Claim the ids of the batch but those that are `left` to others; the places of its duplicates.

    Of two records with one id the later is one; those whose id is left to others, too.

    Raises:
        CollisionError: another transaction claimed one of the ids meanwhile.
    """
    ids = batch.ids.keys() - left
    known = None
    if guess and not guess.wrong and len(guess.suspects) < len(ids):
        known = _insert(connection, batch_id, ids - guess.suspects, ids & guess.suspects)
        guess.wrong = known is None
    if known is None:
        known = _insert(connection, batch_id, set(), ids)
    if known is None:
        raise CollisionError
    return batch.repeated.union(batch.ids[one] for one in (*known, *(batch.ids.keys() & left)))


def _insert(connection: Connection, batch_id: int, fresh: set[str], suspects: set[str]) -> list[str] | None:
    """The suspects that were known; nothing is inserted and None returned where others are.

    Sorted: neighbours share a page of the index, which takes a third off, and workers that have the same ids wait for
    each other in one order.
    """
    words = {"batch_id": batch_id, "fresh": _json(fresh), "suspects": _json(suspects)}
    try:
        with connection.transaction():
            row = connection.execute(query("claim_ids"), words).fetchone()
    except Duplicate:
        return None
    return msgspec.json.decode(row[0], type=list[str]) if row and row[0] else []


def _json(ids: set[str]) -> str:
    """As JSON, which costs the client a tenth of what an array does."""
    return msgspec.json.encode(sorted(ids)).decode()
