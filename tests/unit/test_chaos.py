"""The plan of `mercato chaos`, and its judge, which must see each kind of wrong."""

import dataclasses
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.ledger import Balance
from mercato.chaos.plan import EDGES, KINDS, draw
from mercato.chaos.verdict import Sent, Verdict, judge

TRUTH = {"sent": 6, "loaded": 3, "duplicate": 2, "quarantined": 1}


def judged(stored: dict[str, int], **books: int) -> Verdict:
    sent = Sent(Counter({"a": 3, "b": 1, "c": 2}), bad=1, echoed=1)
    found = Balance(sent=7, received=7, loaded=3, duplicate=3, quarantined=1)
    return judge(TRUTH, sent, stored, dataclasses.replace(found, **books))


@given(kills=st.integers(1, 300), seed=st.integers())
def test_the_same_seed_gives_the_same_plan(kills: int, seed: int) -> None:
    plan = draw(kills, seed)
    assert plan == draw(kills, seed)
    assert len(plan) == kills
    assert {kill.kind for kill in plan} == set(KINDS) or kills < len(KINDS)
    assert {kill.edge for kill in plan} <= set(EDGES)


def test_another_seed_gives_another_plan() -> None:
    assert draw(20, 1) != draw(20, 2)


def test_a_broker_that_is_not_ours_is_left_alone() -> None:
    assert all(kill.kind != "broker" for kill in draw(500, 1, broker=False))


def test_records_that_are_all_there_once_are_no_difference() -> None:
    found = judged({"a": 1, "b": 1, "c": 1})
    assert (found.lost, found.twice, found.residual, found.differences) == (0, 0, 0, [])


@pytest.mark.parametrize(
    ("stored", "books", "counted", "named"),
    [
        ({"a": 1, "c": 1}, {}, {"lost": 1}, "1 ids lost: b"),
        ({"a": 1, "b": 2, "c": 1}, {}, {"twice": 1, "loaded": 4}, "1 ids stored twice: b"),
        ({"a": 1, "b": 1, "c": 1, "x": 1}, {}, {"loaded": 4}, "1 ids stored but never sent: x"),
        ({"a": 1, "b": 1, "c": 1}, {"duplicate": 2}, {"residual": 1}, "1 records sent are in no book"),
        ({"a": 1, "b": 1, "c": 1}, {"duplicate": 4}, {"residual": -1}, "-1 records sent are in no book"),
        (
            {"a": 1, "b": 1, "c": 1},
            {"in_flight": 1, "duplicate": 2},
            {"in_flight": 1},
            "in flight: 1 records",
        ),
        ({"a": 1, "b": 1, "c": 1}, {"quarantined": 0}, {"quarantined": 0}, "the ledger says 0"),
    ],
)
def test_each_wrong_is_counted_and_named(
    stored: dict[str, int], books: dict[str, int], counted: dict[str, int], named: str
) -> None:
    found = judged(stored, **books)
    assert {name: getattr(found, name) for name in counted} == counted
    assert any(named in line for line in found.differences)


def test_a_truth_that_knows_other_numbers_than_the_stream_is_named() -> None:
    found = judge(TRUTH, Sent(Counter({"a": 1}), bad=0), {"a": 1}, Balance(sent=1, received=1, loaded=1))
    assert "sent: the stream holds 1, the truth says 6" in found.differences
