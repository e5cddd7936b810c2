"""Which kills, in which order: drawn from a seed. Pure.

Guarantee: the same number and seed give the same plan. When exactly a kill strikes is the machine's affair:
the plan of two runs is equal, their timing is not.
"""

from dataclasses import dataclass
from random import Random

#: Kind to what it does, and its weight among a hundred.
KINDS: dict[str, tuple[str, int]] = {
    "statement": ("worker SIGKILLed around the k-th statement of its j-th transaction", 28),
    "commit": ("worker SIGKILLed around the COMMIT of its j-th transaction", 22),
    "copy": ("worker SIGKILLed in the middle of a COPY", 10),
    "moment": ("worker SIGKILLed at a random moment", 12),
    "zombie": ("worker stopped with a batch in hand, woken after others wrote it", 10),
    "session": ("a worker's session in Postgres terminated", 6),
    "member": ("member of the consumer group SIGKILLed", 4),
    "sleeper": ("member of the group stopped for longer than its session time-out, then woken", 2),
    "server": ("the whole Postgres server SIGKILLed and started again", 3),
    "broker": ("the broker stopped for seconds", 3),
}
#: Where the worker is when it is struck: the words not yet sent, sent but not answered, or done.
EDGES = ("before", "sent", "after")

_MOST_TRANSACTIONS = 5
#: More than a transaction has; a step beyond the last one strikes at the COMMIT.
_MOST_STEPS = 14


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill. `transaction` and `step` count from 1; `seconds` is a delay, or how long something is away."""

    kind: str
    transaction: int
    step: int
    edge: str
    seconds: float


def draw(kills: int, seed: int, *, broker: bool = True) -> list[Kill]:
    """A plan of so many kills; each kind at least once if there is room. Without `broker`, none of the broker."""
    rng = Random(f"{seed}/chaos")  # noqa: S311 -- to be repeated
    kinds = [kind for kind in KINDS if broker or kind != "broker"]
    chosen = rng.sample(kinds, len(kinds))[:kills]
    chosen += rng.choices(kinds, [KINDS[kind][1] for kind in kinds], k=kills - len(chosen))
    rng.shuffle(chosen)
    return [_kill(kind, rng) for kind in chosen]


def _kill(kind: str, rng: Random) -> Kill:
    transaction, step = rng.randint(1, _MOST_TRANSACTIONS), rng.randint(1, _MOST_STEPS)
    edge, share = rng.choice(EDGES), rng.random()
    seconds = {"sleeper": 7.0 + share, "zombie": 0.2 + share, "broker": 1.0 + 2 * share}.get(kind, share)
    return Kill(kind, transaction, step, edge, round(seconds, 3))
