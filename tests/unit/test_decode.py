"""Bytes to an event or a reason: each bad record has its named fate, and no bytes crash it."""

import copy
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestion.batch import Batch
from ingestion.decode import Rejected, decode
from mercato import events
from mercato.settings import ROOT
from tests.contract import PROMISES, breaches, promises
from tests.events import NOW, event, raw

CASES = [json.loads(line) for line in (ROOT / "tests/fixtures/bad_events.ndjson").read_text().splitlines()]


def reason(record: bytes | None) -> str | None:
    found = decode(record, NOW, 1_000_000)
    return found.reason if isinstance(found, Rejected) else None


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_each_bad_event_has_its_named_fate(case: dict[str, str]) -> None:
    assert reason(case["record"].encode("latin-1")) == case["fate"]


def test_a_record_that_is_too_large_is_refused_before_it_is_parsed() -> None:
    assert reason(b"[" * 1_000_001) == "too_large"


def test_json_nested_deeper_than_the_stack_is_refused_not_a_crash() -> None:
    assert reason(raw(event()).replace(b'"p1"', b"[" * 100_000 + b"]" * 100_000)) == "not_json"


def test_a_tombstone_is_refused_not_a_crash() -> None:
    assert reason(None) == "not_json"


def taken(record: bytes | None) -> str | None:
    """The fate of a record that goes the whole way to the line that Postgres gets."""
    batch = Batch("s", "uid", {0: 0}, 1_000_000)
    batch.add(0, 0, record, NOW)
    assert len(batch.accepted) + len(batch.rejects) == 1
    assert all(one.line.count(b"\n") == 0 and one.line.count(b"\t") == 12 for one in batch.accepted)
    return batch.rejects[0].why.reason if batch.rejects else None


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_decoder(record: bytes) -> None:
    taken(record)


GOOD = [case["record"].encode("latin-1") for case in CASES if case["fate"] is None]


@given(st.sampled_from(GOOD), st.data())
def test_no_mutation_of_a_good_event_crashes_the_decoder(record: bytes, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(record)))
        end = data.draw(st.integers(start, min(len(record), start + 40)))
        odd = st.sampled_from(
            [b"\\u0000", b"\\ud800", b"\0", b"1e400", b"9" * 5_000, b"null", b"[", b"{", b"\xff"]
        )
        record = record[:start] + data.draw(odd | st.binary(max_size=8)) + record[end:]
    taken(record)


@given(st.datetimes().map(str), st.sampled_from(["Z", "+14:00", "-14:00", "+23:59", ""]), st.sampled_from(
    ["timestamp", "sentAt", "receivedAt"]
))  # fmt: skip
@example("0001-01-01 00:00:00", "+14:00", "sentAt")
@example("9999-12-31 23:59:59", "-14:00", "timestamp")
def test_no_time_crashes_the_decoder(moment: str, zone: str, name: str) -> None:
    taken(raw(event(**{name: moment.replace(" ", "T") + zone})))


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e-400", "9" * 20, "9" * 5_000, "9" * 131_073])
@pytest.mark.parametrize("where", ["price", "position", "quantity", "unheard_of", "product_id"])
def test_no_number_crashes_the_decoder(number: str, where: str) -> None:
    record = raw(event()).replace(b'"price":1.5', f'"{where}":{number}'.encode())
    known = {"price": None if number == "1e-400" else "impossible_value", "unheard_of": None}
    if where in known:
        assert taken(record) == known[where]
    else:
        assert taken(record) in ("wrong_type", "impossible_value", None)


def test_a_record_of_10_mb_is_decoded_or_refused_by_its_size_alone() -> None:
    record = raw(event(context={"page": {"title": "x" * 10_000_000}}))
    assert not isinstance(decode(record, NOW, 20_000_000), Rejected)
    assert reason(record) == "too_large"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_unknown_properties_of_any_shape_are_kept(extra: object) -> None:
    one = event()
    one["properties"]["unheard_of"] = extra
    text = json.dumps(one)
    if "NaN" in text or "Infinity" in text or "\\ud" in text:
        return  # not JSON, or not text: other tests
    found = decode(text.encode(), NOW, 1_000_000)
    assert not isinstance(found, Rejected)
    assert isinstance(found.properties, msgspec.Raw)
    assert msgspec.json.decode(found.properties)["unheard_of"] == msgspec.json.decode(json.dumps(extra))


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5), st.binary(max_size=20) | st.just(raw(event()))))
)
def test_a_batch_books_each_position_once(steps: list[tuple[int, int, bytes]]) -> None:
    batch = Batch("kafka:t", "uid", {0: 10, 1: 0, 2: 7}, 1_000)
    at = dict(batch.positions)
    for partition, step, record in steps:
        at[partition] += step
        batch.add(partition, at[partition] - 1, record, NOW)
        batch.add(partition, at[partition] - 1, record, NOW)  # read again after a rebalance
    for partition, span in batch.ranges.items():
        taken = [one for one in steps if one[0] == partition]
        assert (span.next, span.received) == (at[partition], len(taken))
    assert batch.records == len(steps)


def test_the_committed_contract_is_the_one_in_force() -> None:
    committed = json.loads((ROOT / "architecture/event_contract.json").read_text())
    assert committed == json.loads(json.dumps(events.json_schema())), (
        "make it anew: python -m mercato.events > architecture/event_contract.json"
    )


def test_a_breaking_change_of_the_contract_raises_its_version() -> None:
    kept = json.loads(PROMISES.read_text())
    current = promises(events.json_schema())
    if kept["version"] == events.VERSION:
        assert breaches(kept["promises"], current) == [], "keep what was promised, or raise VERSION"
    assert kept == {"version": events.VERSION, "promises": current}, "python -m tests.contract"


def test_each_way_to_break_a_promise_is_found_and_no_addition_is_one() -> None:
    was = events.json_schema()
    cases: dict[str, tuple[str, dict[str, object]]] = {
        "Order Completed.coupon is gone": ("Order", {"coupon": None}),
        "Order Completed.total may no longer be ['number']": ("Order", {"total": {"type": "string"}}),
        "Order Completed.total has another bound: maximum 5": (
            "Order",
            {"total": {"type": "number", "maximum": 5}},
        ),
        "": (
            "Order",
            {"colour": {"type": "string"}, "total": {"anyOf": [{"type": "number"}, {"type": "null"}]}},
        ),
    }
    for words, (shape, changes) in cases.items():
        now = copy.deepcopy(was)
        properties = now["$defs"][shape]["properties"]
        properties.update(changes)
        now["$defs"][shape]["properties"] = {name: one for name, one in properties.items() if one is not None}
        found = breaches(promises(was), promises(now))
        assert [one for one in found if one.startswith("Order Completed")] == ([words] if words else [])
    now = copy.deepcopy(was)
    now["$defs"]["Order"]["required"].append("coupon")
    now["track"]["Order Renewed"] = now["track"]["Order Completed"]  # its required ones break nothing
    assert breaches(promises(was), promises(now)) == [
        "Order Completed.coupon is required now", "Order Updated.coupon is required now",
    ]  # fmt: skip


def test_all_of_segments_own_examples_are_accepted_and_none_drifts(shared_data: Path) -> None:
    lines = (shared_data / "segment_ecommerce" / "ecommerce_v2_examples.jsonl").read_text().splitlines()
    drift: dict[tuple[str, str, str], int] = {}
    envelope = {"messageId": "m", "anonymousId": "a", "timestamp": "2026-11-01T10:00:00Z"}
    for line in lines:
        assert not isinstance(decode(raw({**envelope, **json.loads(line)}), NOW, 1_000_000, drift), Rejected)
    assert (len(lines), drift) == (25, {})


@pytest.mark.parametrize(("name", "fates"), [
    ("page", {None}), ("identify", {None}),
    # Calls and events that the contract leaves out: kept in quarantine.
    ("track", {"unknown_event"}), ("screen", {"unknown_event"}), ("group", {"unknown_event"}),
    ("alias", {"unknown_event"}), ("common", {"unknown_event"}),
])  # fmt: skip
def test_each_type_of_segments_calls_has_its_fate(
    name: str, fates: set[str | None], shared_data: Path
) -> None:
    lines = (shared_data / "segment_ecommerce" / f"spec_{name}.jsonl").read_text().splitlines()
    envelope = {"messageId": "m", "anonymousId": "a", "timestamp": "2026-11-01T10:00:00Z"}
    assert {reason(raw({**envelope, **json.loads(line)})) for line in lines} == fates


@pytest.mark.parametrize("body", [None, {}, {"title": "x"}, {"name": "its own"}])
def test_the_name_of_a_page_is_kept_in_its_properties(body: dict[str, str] | None) -> None:
    found = decode(raw(event(type="page", name="Home", properties=body)), NOW, 1_000_000)
    assert not isinstance(found, Rejected)
    assert isinstance(found.properties, msgspec.Raw)
    assert msgspec.json.decode(found.properties) == {"name": "Home", **(body or {})}


def test_every_json_text_that_a_parser_must_accept_is_at_most_of_the_wrong_shape(shared_data: Path) -> None:
    texts = sorted((shared_data / "json_must_accept").glob("*.json"))
    fates = {reason(path.read_bytes()) for path in texts}
    assert len(texts) == 95
    assert fates == {"wrong_type", "missing_property"}
