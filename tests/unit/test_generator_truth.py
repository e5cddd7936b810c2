"""The truth's own laws: its parts sum to its totals, the order of arrival changes nothing, files are whole."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_generator import simulate
from data_generator.config import Config
from data_generator.facts import Line, Record, Refund, Sale
from data_generator.fault_kinds import KINDS
from data_generator.scenario import Scenario, Window
from data_generator.sessions import GAP
from data_generator.truth import Truth
from data_generator.truth_writer import FILES, TruthWriter, folder_of
from mercato.errors import WrongUse
from tests.streams import END, Memory, stream

CONFIG = Config(1, END, 120)
MINUTE = 60_000
DAY = 86_400_000


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.ndjson").open()]


def record(at: int, delivered: int | None = None, number: int = 0, **more: Any) -> Record:
    """A good record of `visitor` at a moment in ms after the start."""
    delivered = at if delivered is None else delivered
    start = CONFIG.start_ms
    plain = Record(
        start + delivered, f"{number:04}", "key", b"{}", "", start + at, "visitor", None, "direct", "page"
    )
    return plain._replace(**more)


def sale(order: str, user: str = "u", currency: str = "EUR", gross: int = 1000, units: int = 1) -> Sale:
    return Sale(order, user, "DE", currency, (Line("p", units, gross),), 0, 0, 0)


@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.05, 0.5]), st.integers(1, 30))
@settings(max_examples=15, deadline=None)
def test_the_parts_of_the_truth_sum_to_its_totals(seed: int, faults: float, days: int) -> None:
    sink = Memory()
    truth = simulate.run(Config(seed, END, days, 60, faults), sink)
    assert sink.ended == "closed"
    found = truth.document()
    assert found["sent"] == len(sink.records) == found["loaded"] + found["duplicate"] + found["quarantined"]
    assert found["quarantined"] == sum(found["quarantined_by_reason"].values())
    totals = found["totals"]
    for parts, names in {
        "by_day": ("orders", "units"),
        "by_country": ("orders", "units"),
        "by_product": ("units",),
        "sessions_by_day": ("sessions", "converted_sessions"),
        "by_channel": ("sessions", "converted_sessions", "orders"),
        "by_cohort": ("orders",),
    }.items():
        for name in names:
            assert sum(row[name] for row in found[parts]) == totals[name], (parts, name)
    first_months = [row for row in found["by_cohort"] if row["cohort"] == row["month"]]
    assert sum(row["customers"] for row in first_months) == totals["customers"]
    money = {row["currency"]: row for row in totals["by_currency"]}
    for parts in ("by_day", "by_country", "by_product", "by_cohort_revenue"):
        sums: Counter[tuple[str, str]] = Counter()
        for row in found[parts]:
            sums.update({(row["currency"], name): row[name] for name in row if name.endswith("_minor")})
        assert all(money[currency][name] == amount for (currency, name), amount in sums.items()), parts
    for row in (*found["by_day"], *found["by_country"], *totals["by_currency"]):
        rest = row["gross_revenue_minor"] - row["discounts_minor"] - row["refunds_minor"]
        assert row["net_revenue_minor"] == rest


def test_the_list_of_faults_equals_their_counts_and_names_records_of_the_stream(tmp_path: Path) -> None:
    config = Config(7, END, 40, 100, 0.3)
    scenario = Scenario((Window("traffic", config.start_ms, config.start_ms + DAY, 2.0),))
    config = replace(config, scenario=scenario)
    records = stream(config, 0.3)
    truth = Truth(config, tmp_path / "truth.d")
    truth.add(records)
    truth.write(tmp_path / "truth.json")
    window, *faults = read(tmp_path / "truth.d", "faults")
    assert window == {
        "kind": "window:traffic",
        "start": "2026-02-17T00:00:00.000Z",
        "end": "2026-02-18T00:00:00.000Z",
        "strength": 2.0,
    }
    assert Counter(row["kind"] for row in faults) == truth.faults
    assert min(truth.faults.values()) > 10
    sent = {(one.message_id, one.fault): one for one in records if one.line is not None}
    for row in faults:
        one = sent[row["message_id"], row["kind"]]
        assert row["event"] == one.name
        assert row["reason"] == KINDS[one.fault]
        times = [datetime.fromisoformat(row[name]).timestamp() * 1000 for name in ("timestamp", "delivered")]
        assert [int(time + 0.5) for time in times] == [one.at, one.delivered]


#: Minute of an event, its number, whether it is an order, and by how many minutes it comes late.
VISITS = st.lists(
    st.tuples(
        st.integers(0, 400), st.integers(0, 9_999), st.booleans(), st.sampled_from([0, 0, 7, 90, 5_000])
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda visit: visit[1],
)


@given(VISITS)
def test_sessions_are_the_same_in_whatever_order_the_events_arrive(
    visits: list[tuple[int, int, bool, int]],
) -> None:
    records = []
    for minute, number, ordered, late in visits:
        fact = sale(f"o{number}") if ordered else None
        on_time = record(minute * MINUTE, number=number, fact=fact, channel=f"{number % 3}")
        if late:
            records.append(on_time._replace(line=None, fault="late", fact=None))
            on_time = on_time._replace(delivered=on_time.delivered + late * MINUTE, fault="late")
        records.append(on_time)
    far = 10_000 * MINUTE  # another visitor, so that the last sessions are closed on the way
    records += [record(far + hour * 60 * MINUTE, visitor="other") for hour in range(3)]
    truth = Truth(CONFIG)
    truth.add(sorted(records))
    assert len(truth._sessions) <= 3
    expected: list[list[Any]] = []
    last = None
    for minute, number, ordered, _ in sorted(visits):
        if last is None or minute - last > 30:
            expected.append([f"{number % 3}", False])
        expected[-1][1] |= ordered
        last = minute
    others = len(truth._sessions)
    found = truth.document()
    assert found["totals"]["sessions"] - 3 == len(expected), others
    assert found["totals"]["converted_sessions"] == sum(converted for _, converted in expected)
    channels = {row["channel"]: row["sessions"] for row in found["by_channel"] if row["sessions"]}
    assert channels == Counter([channel for channel, _ in expected] + ["direct"] * 3)


def test_a_session_stays_open_for_a_promised_event_and_closes_when_it_has_come() -> None:
    truth = Truth(CONFIG)
    weeks = 60 * DAY
    middle = record(GAP, weeks, 1, fault="very_late")
    clock = [record(day * DAY, visitor=None, number=day + 10) for day in range(100)]
    ends = [record(0), record(2 * GAP, number=2)]
    promise = middle._replace(delivered=CONFIG.start_ms + GAP, line=None)
    before = sorted([*ends, promise, *(one for one in clock if one.delivered < middle.delivered)])
    truth.add(before)
    assert len(truth._sessions) == 2
    assert truth.document()["totals"]["sessions"] == 2  # stopped here, the promised one never came
    truth.add(sorted([middle, *(one for one in clock if one.delivered >= middle.delivered)]))
    assert len(truth._sessions) == 0
    assert not truth._sessions._promised
    assert truth.document()["sessions_by_day"] == [
        {"day": "2025-11-29", "sessions": 1, "converted_sessions": 0}
    ]


@pytest.mark.parametrize("late", [1, 2])
def test_of_two_first_events_in_one_millisecond_the_lower_id_gives_the_channel(late: int) -> None:
    events = [record(0, number=number, channel=f"{number}") for number in (1, 2)]
    promise = events[late - 1]._replace(line=None, fault="late")
    events[late - 1] = events[late - 1]._replace(delivered=CONFIG.start_ms + MINUTE, fault="late")
    truth = Truth(CONFIG)
    truth.add(sorted([*events, promise], key=lambda one: one[:2]))
    assert [row["channel"] for row in truth.document()["by_channel"]] == ["1"]


def test_open_sessions_are_those_of_hours_not_of_the_history() -> None:
    config, most = Config(7, END, 60, 360, 0.0), 0
    truth = Truth(config)
    for one in stream(config, {"late": 0.01}):
        truth.add([one])
        most = max(most, len(truth._sessions._open))
    assert truth.document()["totals"]["sessions"] > 20_000
    assert most < 300


def test_a_late_order_moves_its_customer_to_an_earlier_cohort() -> None:
    truth = Truth(CONFIG)
    march, january = 100 * DAY, 40 * DAY  # the history starts on 2025-11-29
    truth.add([record(march, fact=sale("second", gross=500))])
    assert [row["cohort"] for row in truth.document()["by_cohort"]] == ["2026-03"]
    truth.add([record(january, march + 1, 1, fact=sale("first", gross=300))])
    found = truth.document()
    assert found["by_cohort"] == [
        {"cohort": "2026-01", "month": "2026-01", "customers": 1, "orders": 1},
        {"cohort": "2026-01", "month": "2026-03", "customers": 1, "orders": 1},
    ]
    assert [row["gross_revenue_minor"] for row in found["by_cohort_revenue"]] == [300, 500]


def test_a_customer_of_two_currencies_is_one_customer_and_the_moneys_stay_apart(tmp_path: Path) -> None:
    truth = Truth(CONFIG, tmp_path / "truth.d")
    truth.add(
        [
            record(0, fact=sale("a", currency="EUR", gross=1000)),
            record(1, number=1, fact=sale("b", currency="JPY", gross=700, units=2)),
            record(DAY, number=2, visitor=None, fact=Refund("b", "u", "DE", "JPY", 350)),
            record(DAY, number=3, visitor=None, fact=Refund("lost", "nobody", "FR", "EUR", 20)),
        ]
    )
    truth.write(tmp_path / "truth.json")
    found = json.loads((tmp_path / "truth.json").read_text())
    assert found["totals"]["customers"] == 1
    assert found["by_cohort"] == [{"cohort": "2025-11", "month": "2025-11", "customers": 1, "orders": 2}]
    net = {row["currency"]: row["net_revenue_minor"] for row in found["totals"]["by_currency"]}
    assert net == {"EUR": 980, "JPY": 350}
    nobody, user = read(tmp_path / "truth.d", "customers")
    assert (nobody["user_id"], nobody["orders"], nobody["first_order_day"]) == ("nobody", 0, None)
    assert (user["orders"], user["first_order_day"]) == (2, "2025-11-29")
    assert user["by_currency"][1] == {
        "currency": "JPY",
        "gross_revenue_minor": 700,
        "discounts_minor": 0,
        "refunds_minor": 350,
    }


def test_a_product_on_two_lines_of_an_order_is_one_order_of_it() -> None:
    truth = Truth(CONFIG)
    truth.add([record(0, fact=sale("a")._replace(lines=(Line("p", 1, 100), Line("p", 2, 150))))])
    [row] = truth.document()["by_product"]
    assert (row["orders"], row["units"], row["gross_revenue_minor"]) == (1, 3, 250)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupt_leaves_a_truth_that_matches_what_was_sent(after: int) -> None:
    sink = Memory()
    truth = simulate.run(Config(7, END, 9, 60, 0.2), sink, stop=lambda: len(sink.records) >= after * 900)
    assert sink.ended == "closed"
    assert after * 900 <= truth.sent == len(sink.records) <= after * 1_000


def test_a_sink_that_fails_is_aborted_and_its_error_reaches_the_caller() -> None:
    class Full(Memory):
        def send(self, records: list[Record]) -> None:
            raise OSError(28, "no space")

    sink = Full()
    with pytest.raises(OSError, match="no space"):
        simulate.run(Config(7, END, 1), sink)
    assert sink.ended == "aborted"


def test_the_files_appear_whole_and_replace_those_of_an_earlier_run(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text("old")
    for fate in ("write", "write", "abort"):
        truth = Truth(CONFIG, folder_of(path))
        truth.add([record(0, fact=sale("a"))])
        before = {one.name for one in (tmp_path / "truth.d").iterdir()}
        assert {name for name in before if name.endswith(".part")} == {
            f"{name}.ndjson.part" for name in FILES
        }
        truth.write(path) if fate == "write" else truth.abort()
        assert {one.name for one in (tmp_path / "truth.d").iterdir()} == {f"{name}.ndjson" for name in FILES}
        assert len(read(tmp_path / "truth.d", "orders")) == len(read(tmp_path / "truth.d", "sessions")) == 1
    assert json.loads(path.read_text())["totals"]["orders"] == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["truth.d", "truth.json"]


def test_a_truth_without_a_folder_is_one_file(tmp_path: Path) -> None:
    truth = simulate.run(Config(7, END, 1), Memory())
    truth.write(tmp_path / "truth.json")
    assert json.loads((tmp_path / "truth.json").read_text()) == truth.document()
    assert [one.name for one in tmp_path.iterdir()] == ["truth.json"]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "truth.d").write_text("a file")
    with pytest.raises(WrongUse, match=r"truth\.d can't be written"):
        TruthWriter(tmp_path / "truth.d")


def test_money_in_the_json_has_two_places_or_none_and_no_float_dust() -> None:
    for one in simulate.records(Config(7, END, 3, 200, 0.0)):
        event = json.loads(one.line or b"", parse_float=str, parse_int=str)
        for name in ("price", "total", "subtotal", "tax", "shipping", "discount", "value"):
            assert re.fullmatch(r"\d+(\.\d\d)?", event.get("properties", {}).get(name, "0"))
