"""The schedule of a stream, on a clock of its own: exact, without drift, and the truth of a live shop."""

import gc
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import pytest

from data_generator import live, pace, simulate
from data_generator.config import DAY_MS, Config, midnight
from data_generator.facts import Record
from data_generator.fault_kinds import KINDS
from data_generator.faults import DELAYS
from data_generator.truth import Truth
from mercato.commands.generate_meter import Meter


class Clock:
    """Time that passes only in sleep, which oversleeps by `late` seconds as real ones do."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 1_000.0
        self.late = late

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + self.late


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def send(self, records: list[Record]) -> None:
        self.records += records

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


SOME = next(simulate.records(Config(7, datetime(2026, 3, 29, tzinfo=UTC), 1, 20)))


def records(moments: list[int]) -> Iterator[Record]:
    for number, moment in enumerate(moments):
        yield SOME._replace(delivered=moment, message_id=f"{number:06d}")


def never() -> bool:
    return False


@pytest.mark.parametrize("late", [0.0, 0.0007, 0.013])
def test_the_rate_is_exact_and_does_not_drift_however_badly_it_sleeps(late: float) -> None:
    clock = Clock(late)
    stream = records([0] * 240_000)
    for sent, _ in enumerate(pace.at_rate(stream, 2_000, never, clock, clock.sleep)):
        # Each chunk of 100 at its own twentieth of a second, late by one sleep at most.
        assert -1e-6 <= clock.now - (1_000 + sent / 20) <= late + 1e-6
    assert clock.now == pytest.approx(1_000 + 120, abs=0.1)


def test_a_stall_of_less_than_a_second_is_caught_up() -> None:
    clock = Clock()
    for number, _ in enumerate(pace.at_rate(records([0] * 4_000), 1_000, never, clock, clock.sleep)):
        if number == 20:
            clock.now += 0.9
    assert clock.now == pytest.approx(1_000 + 3.95)


def test_a_slow_sink_slows_the_stream_and_the_meter_says_so() -> None:
    clock = Clock()
    meter = Meter(1_000, clock=clock)
    sent = 0
    for chunk in pace.at_rate(records([0] * 20_000), 1_000, never, clock, clock.sleep):
        clock.now += 0.1  # 50 records
        sent += len(chunk)
        words = meter.words(sent, 0, 5)
    assert clock.now == pytest.approx(1_000 + 40)
    assert words == "20,000 events, 500.0/s: the sink is too slow for 1,000/s"


def test_the_meter_tells_the_rate_and_the_speed() -> None:
    clock = Clock()
    meter = Meter(None, 3_600, 86_400, clock)
    assert meter.words(0, 0, 5) == "0 events"
    clock.now += 2
    assert meter.words(100, 2 / 24, 5) == "100 events, 50.0/s, 3,600 simulated seconds a second"


def test_a_time_lapse_sends_each_record_at_its_own_moment() -> None:
    clock = Clock()
    hour = 3_600_000
    sent = []
    for chunk in pace.lapse(
        records([7 * hour, 8 * hour, 8 * hour + 1, 31 * hour]), 3_600, never, clock, clock.sleep
    ):
        sent.append((round(clock.now - 1_000, 6), [record.delivered for record in chunk]))
    assert sent == [(0, [7 * hour]), (1, [8 * hour]), (1.05, [8 * hour + 1]), (24, [31 * hour])]


def test_a_time_lapse_catches_up_after_a_stall_in_whole_chunks() -> None:
    clock = Clock()
    sizes = []
    for chunk in pace.lapse(records(list(range(0, 10_000_000, 1_000))), 1_000, never, clock, clock.sleep):
        sizes.append(len(chunk))
        if len(sizes) == 20:
            clock.now += 5
    assert clock.now == pytest.approx(1_010, abs=0.06)
    assert max(sizes) == pace.CHUNK
    assert sum(sizes) == 10_000


@pytest.mark.parametrize("how", [pace.at_rate, pace.lapse])
def test_a_stop_ends_a_stream_that_waits(how: object) -> None:
    clock = Clock()
    asked = iter([False, False, False, True])
    stream = how(records([0, DAY_MS]), 0.001, lambda: next(asked), clock, clock.sleep)  # type: ignore[operator]
    assert len(list(stream)) == 1


@pytest.fixture
def traded(monkeypatch: pytest.MonkeyPatch) -> tuple[Kept, Truth, int]:
    """Three hours of a live shop at two records a second, in no time: what it sent, its truth, its beginning."""
    clock = Clock()
    clock.now = datetime(2026, 11, 21, 9, 30, tzinfo=UTC).timestamp()
    begun = int(clock.now * 1_000)
    fast = pace.Pace(2, clock, clock.sleep)
    monkeypatch.setattr(live.pace, "Pace", lambda rate: fast)
    end = clock.now + 3 * 3_600
    kept = Kept()
    config = Config(7, midnight(datetime(2026, 11, 23, tzinfo=UTC)), 2, 360, 0.05)
    truth = live.run(config, kept, 2, stop=lambda: clock.now >= end, wall=clock)
    return kept, truth, begun


def test_a_live_shop_trades_now_at_the_very_rate(traded: tuple[Kept, Truth, int]) -> None:
    kept, truth, begun = traded
    assert truth.sent == len(kept.records) == pytest.approx(3 * 3_600 * 2, abs=2)
    for place, record in enumerate(kept.records):
        moment = begun + place * 500
        assert moment - 30_000 <= record.delivered <= moment
        assert record.fault in {*DELAYS, "duplicate", "future_clock"} or record.delivered - record.at < 3_100
        if not record.fault:
            assert msgspec.json.decode(record.line)["receivedAt"]


def test_the_truth_of_a_live_shop_is_that_of_what_it_sent(traded: tuple[Kept, Truth, int]) -> None:
    kept, truth, _ = traded
    days = truth.document()["totals"]
    counts = {"", *(kind for kind, reason in KINDS.items() if reason is None)} - {"duplicate"}
    good = [one for one in kept.records if one.fault in counts]
    assert days["orders"] == sum(type(one.fact).__name__ == "Sale" for one in good) > 0
    moments: dict[str, list[int]] = {}
    for one in good:
        if one.visitor:
            moments.setdefault(one.visitor, []).append(one.at)
    sessions = sum(
        1 + sum(later - sooner > 30 * 60_000 for sooner, later in pairwise(times))
        for times in (sorted(times) for times in moments.values())
    )
    assert days["sessions"] == sessions
    # Sessions as long as in life, not squeezed: most visits of some pages take minutes.
    assert 4 < len(good) / sessions < 7


def test_the_wall_clock_may_be_set_back() -> None:
    times = iter([10.0, 11.0, 9.0, 12.0])
    now = live._steady(lambda: next(times))
    assert [now() for _ in range(4)] == [10_000, 11_000, 11_000, 12_000]


def test_nothing_is_left_of_the_collector_being_off() -> None:
    with simulate.without_collector():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_rate_holds_without_a_burst_at_the_beginning_or_after_a_stall() -> None:
    now = [100.0]
    paced = pace.Pace(1_000, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    now[0] += 60  # the world was being built
    passed = sum(50 for _ in range(200) if paced.wait(50, lambda: False))
    assert passed / 1_000 == pytest.approx(now[0] - 160, abs=0.06)
    now[0] += 60  # the broker stalled
    begun = now[0]
    for _ in range(200):
        paced.wait(50, lambda: False)
    assert now[0] - begun >= 10 - 1.06


def test_a_stop_ends_the_waiting_of_a_slow_stream() -> None:
    paced = pace.Pace(0.01)
    assert paced.wait(1, lambda: True)
    assert not paced.wait(1, lambda: True)
