"""Bytes to an event or a reason: each bad record has its named fate, and no bytes crash it."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.batch import Batch
from ingestion.decode import Rejected, decode
from mercato import events
from mercato.settings import ROOT
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


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_decoder(record: bytes) -> None:
    decode(record, NOW, 1_000_000)


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


def test_every_json_text_that_a_parser_must_accept_is_at_most_of_the_wrong_shape(shared_data: Path) -> None:
    texts = sorted((shared_data / "json_must_accept").glob("*.json"))
    fates = {reason(path.read_bytes()) for path in texts}
    assert len(texts) == 95
    assert fates == {"wrong_type", "missing_property"}
