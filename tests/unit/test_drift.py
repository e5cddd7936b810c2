"""Drift: what senders add is counted exactly, costs no record, and can't fill a table."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_generator.config import Config
from ingestion.decode import Rejected, decode
from ingestion.drift import MORE, MOST_LETTERS, MOST_NAMES, MOST_NAMES_A_RECORD, names
from mercato.events import TRACK
from tests.events import NOW, event, raw
from tests.streams import END, stream

Drift = dict[tuple[str, str, str], int]
LINE = {"product_id": "p1", "price": 1.5}
VALUES: list[tuple[Any, str]] = [
    ("x", "string"), (1, "number"), (-1.5e300, "number"), (True, "boolean"), (False, "boolean"), (None, "null"),
    ([], "array"), ({"deeper": {}}, "object"),
]  # fmt: skip


def drift_of(*contents: dict[str, Any]) -> Drift:
    drift: Drift = {}
    for content in contents:
        assert not isinstance(decode(raw(content), NOW, 10_000_000, drift), Rejected), content
    return drift


def order(**more: Any) -> dict[str, Any]:
    return event(event="Order Completed", properties={"order_id": "o", "products": [LINE], **more})


@pytest.mark.parametrize(("value", "kind"), VALUES)
def test_an_added_property_passes_and_is_counted_by_its_type(value: Any, kind: str) -> None:
    added = event(properties={**LINE, "colour": value})
    assert drift_of(added, added, event()) == {("Product Viewed", "properties.colour", kind): 2}


def test_an_added_property_is_named_wherever_it_hides() -> None:
    lines = [{**LINE, "colour": "red"}, {**LINE, "colour": "blue"}, {**LINE, "colour": 7}]
    found = drift_of(
        order(products=lines, shipping_address={"city": "Bonn", "floor": 3}),
        event(type="page", properties={"depth": 1}),
        event(type="identify", properties=None, traits={"plan": "pro", "address": {"zip": "1"}}),
        event(shard=5),
    )
    assert found == {
        ("Order Completed", "properties.products[].colour", "string"): 1,  # in records, not in lines
        ("Order Completed", "properties.products[].colour", "number"): 1,
        ("Order Completed", "properties.shipping_address.floor", "number"): 1,
        ("page", "properties.depth", "number"): 1,
        ("identify", "traits.plan", "string"): 1,
        ("identify", "traits.address.zip", "string"): 1,
        ("Product Viewed", "shard", "number"): 1,
    }


def test_a_rejected_record_counts_no_drift_but_a_missing_property_names_its_likely_new_name() -> None:
    drift: Drift = {}
    found = decode(raw(event(properties={"productId": "p1"})), NOW, 1_000_000, drift)
    assert isinstance(found, Rejected)
    assert found.detail.endswith("`product_id`; not in the contract: properties.productId")
    future = event(properties={**LINE, "colour": 1}, timestamp="2030-01-01T00:00:00Z")
    decode(raw(future), NOW, 1_000_000, drift)
    assert drift == {}


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(
    st.dictionaries(NAMES, st.sampled_from(VALUES), max_size=5), st.sampled_from(sorted(TRACK)), st.booleans()
)
def test_exactly_the_names_that_the_contract_lacks_are_found(
    extra: dict[str, tuple[Any, str]], name: str, within: bool
) -> None:
    known = names(TRACK[name])
    within = within and "products" in known.nested
    path, lacks = (
        ("properties.products[].", known.nested["products"].all) if within else ("properties.", known.all)
    )
    extra = {key: value for key, value in extra.items() if key not in lacks}
    values = {key: value for key, (value, _) in extra.items()}
    body: dict[str, Any] = {"product_id": "p", "order_id": "o", "query": "x", "products": [LINE]}
    body = {key: value for key, value in body.items() if key in known.all}
    if within:
        body["products"] = [LINE, {**LINE, **values}]
    else:
        body |= values
    expected = {
        (name, f"{path}{key}".replace("\0", "\ufffd")[:MOST_LETTERS], kind)
        for key, (_, kind) in extra.items()
    }
    assert drift_of(event(event=name, properties=body)) == dict.fromkeys(expected, 1)


def test_a_name_is_cut_and_holds_no_nul_however_it_was_sent() -> None:
    (found,) = drift_of(event(properties={**LINE, "a\0" + "b" * 400: 1}))
    assert found[1] == "properties.a\ufffd" + "b" * (MOST_LETTERS - len("properties.a?"))


def test_random_keys_fill_neither_a_record_nor_a_batch() -> None:
    at_once = drift_of(event(properties={**LINE, **{f"k{number}": 1 for number in range(100_000)}}))
    assert len(at_once) == MOST_NAMES_A_RECORD + 1
    assert at_once["Product Viewed", *MORE] == 1
    many = drift_of(*(event(properties={**LINE, f"k{number}": 1, "k0": 1}) for number in range(5_000)))
    assert len(many) <= MOST_NAMES + 1
    assert many["Product Viewed", "properties.k0", "number"] == 5_000
    assert sum(many.values()) == 4_999 + 5_000  # none is uncounted


def test_no_event_of_our_own_shop_drifts_unless_it_is_made_to() -> None:
    config = replace(Config(7, END, 60, 60))
    drift: Drift = {}
    seen = set()
    for record in stream(config, 0):
        assert not isinstance(decode(record.line, END, 1_000_000, drift), Rejected)
        seen.add(record.name)
    assert drift == {}
    assert len(seen) > 25
    for record in stream(config, {"drift_added": 0.1}):
        decode(record.line, END, 1_000_000, drift)
    assert {(name, kind) for _, name, kind in drift} >= {
        ("properties.tracker_release", "string"), ("properties.experiment", "object"),
    }  # fmt: skip


def test_what_is_stored_of_a_drifting_event_is_what_was_sent() -> None:
    found = decode(raw(order(colour="red")), NOW, 1_000_000, {})
    assert not isinstance(found, Rejected)
    assert json.loads(bytes(found.properties))["colour"] == "red"  # type: ignore[arg-type]
