"""Every kind of fault is what its label says: to the contract, to the clock, in its share of the events."""

import json
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_generator.config import Config
from data_generator.facts import Event, Record
from data_generator.fault_kinds import KINDS
from data_generator.faults import DELAYS, Injector
from data_generator.scenario import Scenario, Window
from ingestion.decode import Rejected, decode
from mercato.errors import WrongUse
from mercato.events import TRACK
from tests.streams import END, NOW, stream

HOUR = 3_600_000
CONFIG = Config(7, END, 120, 60)


def fate(line: bytes | None, now: datetime = NOW) -> str | None:
    """The reason of the quarantine, None for a good event."""
    found = decode(line, now, 1_000_000)
    return found.reason if isinstance(found, Rejected) else None


def event(name: str = "page", body: str = "{}", at: int = CONFIG.start_ms) -> Event:
    return Event(at, name, "id", "key", "visitor", '"anonymousId":"visitor",', "{}", body)


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000 + 0.5)


def sent(records: list[Record]) -> list[Record]:
    return [record for record in records if record.line is not None]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_meets_the_fate_that_the_truth_says(kind: str) -> None:
    records = sent(stream(replace(CONFIG, days=50), {kind: 0.2}))
    hit = [record for record in records if record.fault]
    assert {record.fault for record in hit} == {kind}
    assert len(hit) > 1_000
    for record in records:
        assert b"\n" not in record.line
        assert fate(record.line) == (KINDS[kind] if record.fault else None), record
    assert len({record.name for record in hit}) > 5  # not always the same event


def test_a_future_clock_is_refused_whenever_the_events_are_loaded() -> None:
    long_after = datetime(2098, 1, 1, tzinfo=UTC)
    for days in (1, 30):
        for record in stream(Config(1, datetime(1980, 1, 1, tzinfo=UTC), days), {"future_clock": 0.1}):
            assert fate(record.line, long_after) == (KINDS[record.fault] if record.fault else None)


@given(st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_all_kinds_together_meet_their_fates_for_any_seed(seed: int) -> None:
    for record in sent(stream(Config(seed, END, 20, 30), 0.5)):
        assert fate(record.line) == (KINDS[record.fault] if record.fault else None)


@pytest.mark.parametrize("name", TRACK)
def test_an_event_with_nothing_to_spoil_is_left_alone_or_truly_spoiled(name: str) -> None:
    body = {
        "Products Searched": '{"query":"x"}',
        "Order Completed": '{"order_id":"o","products":[{"product_id":"p","price":1.50,"quantity":2}]}',
        "Order Updated": '{"order_id":"o","shipping_address":{"city":"x"},"products":[{"product_id":"p","price":0}]}',
        "Product Reviewed": '{"product_id":"p","rating":5,"review_body":"Großartig"}',
    }.get(name, '{"product_id":"p","order_id":"o","price":null,"position":1}')
    seen = Counter()
    for seed in range(20):
        injector = Injector(f"{seed}", 1.0, CONFIG.end_ms)
        for _ in range(20):
            for record in sent(injector.deliver(event(name, body))):
                assert fate(record.line) == (KINDS[record.fault] if record.fault else None), record.line
                seen[record.fault] += 1
    assert seen["unknown_event"] > 3
    assert seen["missing_property"] > 3


def test_kinds_take_their_own_rates_and_a_single_rate_is_shared_evenly() -> None:
    rates = {"late": 0.1, "broken_json": 0.02, "drift_retyped": 0.05}
    records = stream(CONFIG, rates)
    events = len({record.message_id for record in records})
    found = Counter(record.fault for record in sent(records))
    assert set(found) == {"", *rates}
    for kind, rate in rates.items():
        assert 0.85 < found[kind] / (events * rate) < 1.15, kind
    found = Counter(record.fault for record in sent(stream(CONFIG, 0.3)))
    for kind in KINDS:
        assert 0.85 < found[kind] / (events * 0.3 / len(KINDS)) < 1.15, kind


def test_other_rates_and_silences_leave_the_rest_of_the_shop_as_it_is() -> None:
    config = Config(7, END, 4, 60)
    calm = {record.message_id: record for record in stream(config, 0.0)}
    silence = Scenario((Window("silence", config.end_ms - 9 * HOUR, config.end_ms, 0.7),))
    silent = replace(config, scenario=silence)
    for rates, shop in ((0.4, config), (0.0, silent), ({"late": 0.9}, silent)):
        stormy = stream(shop, rates)
        assert {record.message_id for record in stormy} == set(calm)
        for record in stormy:
            if not record.fault:
                assert record == calm[record.message_id]


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_of_a_fault_hits_what_is_in_it_and_nothing_outside(kind: str) -> None:
    config = Config(7, END, 60, 60)
    calm = {record.message_id: record for record in stream(config, 0.0)}
    start = config.start_ms + 5 * 24 * HOUR
    release = Window(kind, start, start + 24 * HOUR, 1.0)
    told = stream(replace(config, scenario=Scenario((release,))), 0.0)
    hit = [record for record in sent(told) if record.fault]
    assert {record.fault for record in hit} == {kind}
    for record in sent(told):
        if not record.fault and not release.start <= record.at < release.end:
            assert record == calm[record.message_id]
    inside = {record.message_id for record in calm.values() if release.start <= record.at < release.end}
    found = {record.message_id for record in hit}
    assert found <= inside
    fits = 0.99 if kind in {*DELAYS, "duplicate", "future_clock", "broken_json"} else 0.15
    assert len(found) >= fits * len(inside)
    half = stream(replace(config, scenario=Scenario((replace(release, strength=0.5),))), 0.0)
    assert 0.35 < sum(bool(record.fault) for record in sent(half)) / len(hit) < 0.65


@pytest.mark.parametrize("wrong", [{"nonsense": 0.1}, {"late": -0.1}, {"late": 0.7, "duplicate": 0.7}, 1.5])
def test_impossible_rates_are_refused_with_a_cure(wrong: Any) -> None:
    with pytest.raises(WrongUse, match="cure: "):
        Injector("1", wrong, CONFIG.end_ms)


def test_a_copy_always_comes_after_its_original_on_the_same_key() -> None:
    seen: dict[str, Record] = {}
    delays, recomputed = [], 0
    for record in sent(stream(CONFIG, {"duplicate": 0.5})):
        if record.fault == "duplicate":
            first = seen[record.message_id]
            assert first.key == record.key
            assert json.loads(first.line)["messageId"] == json.loads(record.line)["messageId"]
            recomputed += first.line != record.line
            delays.append(record.delivered - first.delivered)
        else:
            assert record.message_id not in seen
            seen[record.message_id] = record
    assert 0.45 < recomputed / len(delays) < 0.55
    assert min(delays) >= 200
    for longest, least in ((60_000, 0.3), (48 * HOUR, 0.7), (90 * 24 * HOUR, 1.0)):
        assert sum(delay <= longest for delay in delays) >= least * len(delays)
    assert sum(delay > 14 * 24 * HOUR for delay in delays) > 0.1 * len(delays)


@pytest.mark.parametrize("kind", DELAYS)
def test_an_overdue_event_keeps_its_timestamp_and_is_promised_on_time(kind: str) -> None:
    promised: dict[str, Record] = {}
    shortest, longest = DELAYS[kind]
    newest, overtaken, hit = 0, 0, 0
    for record in stream(CONFIG, {kind: 0.1}):
        assert record.delivered < CONFIG.end_ms
        if record.line is None:
            assert record.delivered - record.at < 5_000
            assert record.fact is None
            promised[record.message_id] = record
        elif record.fault:
            hit += 1
            overtaken += newest > record.at
            assert shortest <= record.delivered - record.at <= longest
            assert moment(json.loads(record.line)["timestamp"]) == record.at
            assert record.visitor is None or promised.pop(record.message_id).at == record.at
        else:
            newest = max(newest, record.at)
    assert not promised
    assert hit > 1_000
    assert overtaken > 0.6 * hit  # the rest fall into the quiet of the night


def test_very_late_events_need_a_long_history() -> None:
    assert not [one for one in stream(Config(7, END, 14, 60), {"very_late": 0.5}) if one.fault]


def test_a_fault_that_does_not_fit_an_event_waits_for_one_that_it_fits() -> None:
    injector = Injector("1", {"drift_renamed": 0.5, "wrong_encoding": 0.2}, CONFIG.end_ms)
    kinds = [injector.deliver(event())[-1].fault for _ in range(100)]
    assert set(kinds) == {""}
    waited = [injector.deliver(event("Products Searched", '{"query":"x"}'))[-1].fault for _ in range(400)]
    owed = injector._owed
    assert abs(waited.count("drift_renamed") + owed.get("drift_renamed", 0) - 250) < 40
    assert abs(waited.count("wrong_encoding") + owed.get("wrong_encoding", 0) - 100) < 30
    assert "" not in waited[:60]


@pytest.mark.parametrize("left", [50, 900, 1_500, 3_600_000])
def test_whatever_hits_an_event_stays_inside_a_history_that_is_nearly_over(left: int) -> None:
    end, delivered = CONFIG.end_ms, defaultdict(list)
    injector = Injector("1", {"duplicate": 0.5, "late": 0.2, "out_of_order": 0.3}, end)
    for number in range(500):
        for record in injector.deliver(event(at=end - left)):
            assert end - left < record.delivered < end
            delivered[number].append(record.delivered)
    for moments in delivered.values():
        assert moments == sorted(set(moments))
    assert any(len(moments) == 2 for moments in delivered.values()) == (left > 1_000)


def test_drift_adds_properties_that_the_loaded_event_keeps() -> None:
    added = [record for record in stream(CONFIG, {"drift_added": 0.1}) if record.fault]
    for record in added:
        body = json.loads(record.line)
        assert {"tracker_release", "experiment"} <= (body.get("properties") or body["traits"]).keys()
    [record] = Injector("1", {"drift_added": 1.0}, CONFIG.end_ms).deliver(event())
    assert fate(record.line) is None


def test_a_text_in_latin_1_is_broken_nowhere_else() -> None:
    body = '{"product_id":"p1","name":"Kännchen"}'
    [record] = Injector("1", {"wrong_encoding": 1.0}, CONFIG.end_ms).deliver(event("Product Viewed", body))
    assert record.line is not None
    assert b'"K\xe4nnchen"' in record.line
    assert json.loads(record.line.decode("latin-1"))["properties"]["name"] == "Kännchen"
