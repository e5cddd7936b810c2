"""The truth beside the events equals a recount of the bytes, made here in another and simpler way."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_generator import simulate
from data_generator.config import Config
from data_generator.facts import Event, Record
from data_generator.faults import KINDS, Injector
from data_generator.truth import Truth
from mercato.events import TRACK, Envelope

END = datetime(2026, 3, 29, tzinfo=UTC)


class Memory:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.ended = ""

    def send(self, records: list[Record]) -> None:
        self.records += records

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


def defect(line: bytes) -> str | None:
    """The reason by the event contract, None for a good event."""
    try:
        event = msgspec.json.decode(line, type=Envelope)
        if event.type == "track":
            msgspec.json.decode(event.properties or b"{}", type=TRACK[event.event or ""])
    except msgspec.ValidationError as error:
        return "missing_property" if "missing required" in str(error) else "wrong_type"
    except msgspec.DecodeError:
        return "not_json"
    return None


def recount(lines: list[bytes]) -> dict[str, Any]:
    """What the lines say: the fields of the truth that don't come from the options."""
    events: dict[str, dict[str, Any]] = {}
    reasons: Counter[str] = Counter()
    repeated = 0
    for line in lines:
        reason = defect(line)
        if reason:
            reasons[reason] += 1
            continue
        event = json.loads(line, parse_float=Decimal)
        repeated += event["messageId"] in events
        events.setdefault(event["messageId"], event)
    days: dict[str, Counter[str]] = defaultdict(Counter)
    visits = defaultdict(list)
    for event in events.values():
        moment = datetime.fromisoformat(event["timestamp"])
        day, properties = days[event["timestamp"][:10]], event.get("properties", {})
        if "anonymousId" in event:
            visits[event["anonymousId"]].append((moment, event.get("event") == "Order Completed"))
        if event.get("event") == "Order Completed":
            day["orders"] += 1
            day["units"] += sum(line["quantity"] for line in properties["products"])
            day["gross_revenue_minor"] += int(
                100 * sum(one["price"] * one["quantity"] for one in properties["products"])
            )
            day["discounts_minor"] += int(100 * properties["discount"])
            day["shipping_minor"] += int(100 * properties["shipping"])
            day["tax_minor"] += int(100 * properties["tax"])
        elif event.get("event") == "Order Refunded":
            day["refunds_minor"] += int(100 * properties["subtotal"])
    for moments in visits.values():
        moments.sort()
        sessions: list[list[tuple[datetime, bool]]] = []
        for moment in moments:
            if not sessions or moment[0] - sessions[-1][-1][0] > timedelta(minutes=30):
                sessions.append([])
            sessions[-1].append(moment)
        for session in sessions:
            day = days[session[0][0].strftime("%Y-%m-%d")]
            day["sessions"] += 1
            day["converted_sessions"] += any(ordered for _, ordered in session)
    for day in days.values():
        day["net_revenue_minor"] = day["gross_revenue_minor"] - day["discounts_minor"] - day["refunds_minor"]
    return {
        "sent": len(lines),
        "loaded": len(events),
        "duplicate": repeated,
        "quarantined": sum(reasons.values()),
        "quarantined_by_reason": {
            name: reasons[name] for name in ("not_json", "wrong_type", "missing_property")
        },
        "by_day": {
            name: {key: many for key, many in day.items() if many}
            for name, day in days.items()
            if any(day.values())
        },
    }


def comparable(truth: Truth) -> dict[str, Any]:
    """The same fields of the truth."""
    document = truth.document()
    rows = {row.pop("day"): row for row in document["by_day"]}
    assert {row.pop("currency") for row in rows.values()} <= {"EUR"}
    for name, total in document["totals"].items():
        if name != "conversion_rate":
            assert total == sum(row[name] for row in rows.values())
    wanted = ("sent", "loaded", "duplicate", "quarantined", "quarantined_by_reason")
    days = {day: {key: many for key, many in row.items() if many} for day, row in rows.items()}
    return {name: document[name] for name in wanted} | {"by_day": days}


@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.01, 0.2, 0.5]), st.integers(1, 9))
@settings(max_examples=20, deadline=None)
def test_the_truth_equals_a_recount_of_the_bytes(seed: int, faults: float, days: int) -> None:
    sink = Memory()
    truth = simulate.run(Config(seed, END, days, 60, faults), sink)
    assert sink.ended == "closed"
    assert comparable(truth) == recount([record.line for record in sink.records])
    assert truth.sent == truth.loaded + truth.faults["duplicate"] + truth.quarantined


def test_the_truth_of_a_month_equals_a_recount_when_sessions_are_booked_on_the_way() -> None:
    sink = Memory()
    truth = simulate.run(Config(7, END, 30, 360, 0.05), sink)
    assert comparable(truth) == recount([record.line for record in sink.records])
    assert sum(len(sessions) for sessions in truth._open.values()) < 2_500  # not the whole month's 10,000


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=30))
def test_sessions_are_the_same_in_whatever_order_the_events_arrive(visits: list[tuple[int, bool]]) -> None:
    truth, start = Truth(Config(1, END, 1)), Config(1, END, 1).start_ms
    for minute, ordered in visits:
        truth._visit("visitor", start + minute * 60_000, ordered)
    expected, last = [], None
    for minute, ordered in sorted(visits):
        if last is None or minute - last > 30:
            expected.append(False)
        expected[-1] |= ordered
        last = minute
    totals = truth.document()["totals"]
    assert (totals["sessions"], totals["converted_sessions"]) == (len(expected), sum(expected))


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupt_leaves_a_truth_that_matches_what_was_sent(after: int) -> None:
    sink = Memory()
    truth = simulate.run(Config(7, END, 9, 60, 0.2), sink, stop=lambda: len(sink.records) >= after * 1_000)
    assert sink.ended == "closed"
    assert truth.sent == len(sink.records) == after * 1_000
    assert comparable(truth) == recount([record.line for record in sink.records])


def test_a_sink_that_fails_is_aborted_and_its_error_reaches_the_caller() -> None:
    class Full(Memory):
        def send(self, records: list[Record]) -> None:
            raise OSError(28, "no space")

    sink = Full()
    with pytest.raises(OSError, match="no space"):
        simulate.run(Config(7, END, 1), sink)
    assert sink.ended == "aborted"


def test_every_kind_of_fault_occurs_evenly_at_its_rate_and_fails_for_its_own_reason() -> None:
    sink = Memory()
    truth = simulate.run(Config(7, END, 15, 360, 0.2), sink)
    events = truth.sent - truth.faults["duplicate"]
    for kind, many in truth.faults.items():
        assert 0.9 < many / (events * 0.2 / len(KINDS)) < 1.1, kind
    for record in sink.records:
        assert defect(record.line) == (KINDS[record.fault] if record.fault else None)
        assert b"\n" not in record.line


def test_a_copy_always_comes_after_its_original_on_the_same_key() -> None:
    sink = Memory()
    simulate.run(Config(7, END, 9, 60, 0.5), sink)
    seen: dict[str, Record] = {}
    recomputed = 0
    for record in sink.records:
        if record.fault == "duplicate":
            first = seen[record.message_id]
            assert first.key == record.key
            assert json.loads(first.line)["messageId"] == json.loads(record.line)["messageId"]
            recomputed += first.line != record.line
        else:
            assert record.message_id not in seen
            seen[record.message_id] = record
    assert recomputed > 50


def test_a_fault_that_does_not_fit_an_event_waits_for_one_that_it_fits() -> None:
    config = Config(1, END)
    injector = Injector("1", 1.0, config.end_ms)
    page = Event(config.start_ms, "page", "id", "key", "visitor", "", "{}", "{}")
    kinds = [injector.deliver(page)[-1].fault for _ in range(50)]
    injector._rate = 0.0
    search = page._replace(name="Products Searched", body='{"query":"x"}')
    waited = [injector.deliver(search)[-1].fault for _ in range(50)]
    assert "wrong_type" not in kinds
    assert len([kind for kind in kinds + waited if kind]) == 50
    assert waited.count("wrong_type") > 3


@pytest.mark.parametrize("left", [50, 900, 1_500, 3_600_000])
def test_a_copy_stays_behind_its_original_also_when_the_history_is_nearly_over(left: int) -> None:
    end = Config(1, END).end_ms
    injector = Injector("1", 1.0, end)
    event = Event(end - left, "page", "id", "key", "visitor", "", "{}", "{}")
    delivered = [[record.delivered for record in injector.deliver(event)] for _ in range(500)]
    for moments in delivered:
        assert end - left < moments[0] < moments[-1] < end or (len(moments) == 1 and moments[0] < end)
    assert any(len(moments) == 2 for moments in delivered) == (left > 1_000)


def test_a_late_event_keeps_its_timestamp_and_is_delivered_hours_later_before_the_end() -> None:
    config = Config(7, END, 5, 60, 0.3)
    late = [record for record in simulate.records(config) if record.fault == "late"]
    assert len(late) > 20
    for record in late:
        event = json.loads(record.line)
        assert 2 * 3_600_000 <= record.delivered - record.at <= 72 * 3_600_000
        assert record.delivered < config.end_ms
        assert int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1000 + 0.5) == record.at


def test_money_in_the_json_has_two_places_and_no_float_dust() -> None:
    for record in simulate.records(Config(7, END, 3, 200, 0.0)):
        event = json.loads(record.line, parse_float=str)
        for name in ("price", "total", "subtotal", "tax", "shipping", "discount", "value"):
            value = event.get("properties", {}).get(name, "0.00")
            assert value[-3] == "."


def test_the_file_appears_whole_or_not_at_all(tmp_path: Any) -> None:
    path = tmp_path / "truth.json"
    truth = simulate.run(Config(7, END, 1), Memory())
    path.write_text("old")
    truth.write(path)
    assert json.loads(path.read_text()) == truth.document()
    assert [one.name for one in tmp_path.iterdir()] == ["truth.json"]
