"""The shop obeys its laws for any seed: money adds up, nobody pays unseen, the same seed is the same shop."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_generator import orders, publish, simulate
from data_generator.catalogue import Item, Product
from data_generator.config import DAY_MS, Config
from data_generator.world import build
from mercato.errors import WrongUse

END = datetime(2026, 3, 29, tzinfo=UTC)
seeds = st.integers(0, 2**31)


def history(seed: int, **options: Any) -> list[dict[str, Any]]:
    """The events of a small shop, in the order of their timestamps."""
    options = {"days": 4, "sessions_per_day": 60, "faults": 0.0} | options
    records = simulate.records(Config(seed, END, **options))
    events = [json.loads(record.line, parse_float=Decimal) for record in records]
    return sorted(events, key=lambda event: event["timestamp"])


def owns(event: dict[str, Any]) -> bool:
    """Whether the event ties its device to an account, and not to a guest's one-off id."""
    return event["type"] == "identify" and not event["userId"].startswith("g-")


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_a_visitor_never_pays_for_what_was_not_viewed_and_added_and_every_amount_adds_up(seed: int) -> None:
    events = history(seed, days=8)
    viewed, added, started, entered = defaultdict(set), defaultdict(set), set(), set()
    # A person's devices, told by the account: what is put into the cart on one can be paid on another.
    owner = {event["anonymousId"]: event["userId"] for event in events if owns(event)}
    for event in events:
        properties = event.get("properties")
        visitor = owner.get(event.get("anonymousId"), event.get("anonymousId"))
        name = event.get("event")
        if name == "Product Viewed":
            viewed[visitor].add(properties["product_id"])
        elif name in ("Product Added", "Wishlist Product Added to Cart"):
            assert properties["product_id"] in viewed[visitor]
            added[visitor].add(properties["product_id"])
        elif name == "Payment Info Entered":
            assert properties["order_id"] in started
            entered.add(properties["order_id"])
        elif name == "Checkout Started":
            started.add(properties["order_id"])
        elif name == "Order Completed":
            assert event["userId"]
            assert properties["order_id"] in entered
            assert {line["product_id"] for line in properties["products"]} <= added[visitor]
            worth = sum(line["price"] * line["quantity"] for line in properties["products"])
            assert worth - properties["discount"] == properties["subtotal"] == properties["revenue"]
            assert properties["subtotal"] + properties["tax"] + properties["shipping"] == properties["total"]


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_a_refund_never_exceeds_what_was_paid_nor_comes_before_the_order(seed: int) -> None:
    paid: dict[str, Any] = {}
    for event in history(seed, days=18):
        properties = event.get("properties", {})
        if event.get("event") == "Order Completed":
            paid[properties["order_id"]] = properties
        elif event.get("event") == "Order Refunded":
            order = paid.pop(properties["order_id"])  # absent: before the order, or a second refund of it
            assert "anonymousId" not in event
            assert all(properties[name] <= order[name] for name in ("total", "subtotal", "tax", "shipping"))
            assert properties["subtotal"] + properties["tax"] + properties["shipping"] == properties["total"]
            bought = {line["product_id"]: line["quantity"] for line in order["products"]}
            assert all(line["quantity"] <= bought[line["product_id"]] for line in properties["products"])


@given(
    st.lists(st.tuples(st.integers(1, 500_000), st.integers(1, 9)), min_size=1, max_size=5),
    st.sampled_from([0, 5, 10, 20]),
    st.randoms(use_true_random=False),
)
def test_a_partial_refund_of_odd_prices_never_gives_back_a_cent_too_much(
    wanted: list[tuple[int, int]], percent: int, rng: Random
) -> None:
    product = Product(0, "p", "", 0, 0, 0, (0, 0), "")
    lines = tuple((Item(product, price, f"{at}", ""), many) for at, (price, many) in enumerate(wanted))
    order = orders.place(lines, "EUR", percent, 190, "express")
    back = tuple(rng.randint(0, many) for _, many in lines)
    part = orders.refund(order, back)
    assert 0 <= part.subtotal <= order.subtotal
    assert 0 <= part.tax <= order.tax
    assert (part.total == order.total) or back != tuple(many for _, many in lines)


def test_the_same_seed_gives_the_same_bytes_in_another_process_with_another_hash_seed(tmp_path: Any) -> None:
    program = (
        "import hashlib; from datetime import UTC, datetime; from data_generator import simulate, world;"
        "from data_generator.config import Config;"
        "config = Config(7, datetime(2026, 3, 29, tzinfo=UTC), 3, 60, 0.05);"
        "print(hashlib.sha256(b'\\n'.join(r.line or b'' for r in simulate.records(config))).hexdigest());"
        "people = world.build(7, 2_000).people;"
        "told = [f'{people.person(at)}{people.traits(people.person(at))}' for at in range(2_000)];"
        "print(hashlib.sha256(repr(told).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": number},
            capture_output=True,
            check=True,
        ).stdout
        for number in ("1", "2", "3")
    }
    assert len(found) == 1


def test_files_are_byte_equal_whatever_the_chunks_and_rewritten_whole(tmp_path: Any) -> None:
    config = Config(7, END, 2, 60, 0.05)
    sinks = [publish.FileSink(tmp_path / name) for name in ("one", "two")]
    simulate.run(config, sinks[0])
    simulate.run(config, sinks[1], rate=1e7)
    first, second = (sink.path.read_bytes() for sink in sinks)
    assert first == second
    assert first.count(b"\n") == len(first.splitlines())
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["events.ndjson"]


def test_another_seed_is_another_shop() -> None:
    ids = [{event["messageId"] for event in history(seed)} for seed in (1, 2)]
    assert not ids[0] & ids[1]


def test_another_rate_of_faults_leaves_the_shop_itself_as_it_is() -> None:
    calm = {event["messageId"]: event["timestamp"] for event in history(7)}
    stormy = set()
    for record in simulate.records(Config(7, END, 4, 60, 0.3)):
        stormy.add(record.message_id)
    assert stormy == set(calm)


def test_ids_are_unique_and_every_moment_is_in_the_history_and_in_order() -> None:
    events = history(7, days=20)
    assert len({event["messageId"] for event in events}) == len(events)
    placed = [event["properties"]["order_id"] for event in events if event.get("event") == "Order Completed"]
    assert len(set(placed)) == len(placed) > 10
    for event in events:
        assert "2026-03-09T" <= event["timestamp"] <= event["sentAt"] <= event["receivedAt"] < "2026-03-29T"


def test_a_customer_is_identified_once_on_each_device_and_known_there_from_then_on() -> None:
    known: dict[str, str] = {}
    for event in history(7, days=20):
        visitor, user = event.get("anonymousId"), event.get("userId")
        if owns(event):
            assert visitor not in known
            assert set(event["traits"]) == {"name", "email", "country", "city"}
            known[visitor] = user
        if visitor is not None and not (user or "").startswith("g-"):
            assert user == known.get(visitor)
    assert len(known) > 20


def test_a_guest_has_an_id_for_one_order_and_none_in_the_next_visit() -> None:
    guests = defaultdict(list)
    for event in history(7, days=20):
        if event.get("userId", "").startswith("g-"):
            guests[event["userId"]].append(event)
    assert len(guests) > 10
    for events in guests.values():
        assert events[0]["type"] == "identify"
        assert events[0]["traits"]["guest"] is True
        assert len({event["anonymousId"] for event in events if "anonymousId" in event}) == 1
        assert sum(event.get("event") == "Order Completed" for event in events) <= 1


def test_nobody_is_in_two_visits_at_once_nor_back_before_the_session_is_over() -> None:
    config = Config(7, END, 20, 400)
    shard = simulate._Shard(config, build(7, 400), 0)  # so few people are always in each other's way
    visits: list[tuple[int, int, int]] = []
    walk = simulate.journeys.walk

    def watched(rng: Random, shop: Any, person: Any, start: int) -> Any:
        events = walk(rng, shop, person, start)
        visits.append((person.number, start, max(event.at for event in events if event.visitor)))
        return events

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate.journeys, "walk", watched)
        for day in range(config.start_ms // DAY_MS, config.end_ms // DAY_MS):
            list(shard.day(day))
    last: dict[int, int] = {}
    for person, start, end in visits:
        assert start > last.get(person, 0) + 30 * 60_000
        last[person] = end
    assert len(visits) > 500


def test_the_volume_at_defaults_is_what_the_documentation_promises() -> None:
    names = defaultdict(int)
    for event in history(7, days=30, sessions_per_day=360):
        names[event.get("event", event["type"])] += 1
    assert 48_000 < sum(names.values()) < 62_000
    assert 250 < names["Order Completed"] < 600
    assert 15 < names["Order Refunded"] < 80
    funnel = ["Product Viewed", "Product Added", "Cart Viewed", "Checkout Started", "Order Completed"]
    assert sorted(funnel, key=names.__getitem__, reverse=True) == funnel


def test_people_have_their_own_addresses_and_the_world_is_the_same_when_built_anew() -> None:
    world = build(5, 500)
    people = [world.people.person(number) for number in range(500)]
    assert len({world.people.traits(person) for person in people}) == 500
    assert len({json.loads(f"{{{world.people.traits(person)}}}")["email"] for person in people}) == 500
    assert len({device.anonymous_id for person in people for device in person.devices}) > 700
    assert [p.members for p in build(5, 500).catalogue.products] == [
        p.members for p in world.catalogue.products
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": 0},
        {"faults": -0.1},
        {"faults": 0.6},
        {"faults": float("nan")},
        {"sessions_per_day": 0},
        {"days": 10**9},
        {"end": datetime(2026, 3, 29, 1, tzinfo=UTC)},
        {"end": datetime(2026, 3, 29)},
        {"growth": -1},
        {"growth": float("nan")},
    ],
)
def test_an_impossible_wish_is_refused_with_a_cure(wrong: dict[str, Any]) -> None:
    with pytest.raises(WrongUse, match="cure: "):
        Config(**{"seed": 1, "end": END} | wrong)
