"""People come when people come, and buy as people buy: bounds around one fixed seed, and the rules beneath."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_generator import seasonality, simulate
from data_generator.config import DAY_MS, Config
from data_generator.facts import Refund, Sale
from data_generator.markets import MARKETS


def day(year: int, month: int, number: int) -> int:
    """A date as days since 1970-01-01."""
    return (date(year, month, number) - date(1970, 1, 1)).days


class Place(msgspec.Struct):
    country: str


class Context(msgspec.Struct):
    location: Place | None = None
    timezone: str = "UTC"


class Told(msgspec.Struct):
    """What of an event is asked for here."""

    context: Context
    event: str = ""


class Season:
    """Four months over the end of a year, 300 visits a day."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()
        self.visits: list[tuple[int, str, str]] = []
        self.sales: list[Sale] = []
        self.refunds: list[Refund] = []
        last: dict[str, int] = {}
        read = msgspec.json.Decoder(Told).decode
        config = Config(7, datetime(2026, 1, 1, tzinfo=UTC), 122, 300, 0.0)
        for record in sorted(simulate.records(config), key=lambda record: record.at):
            event = read(record.line)
            self.names[event.event] += 1
            if isinstance(record.fact, Sale):
                self.sales.append(record.fact)
            elif record.fact is not None:
                self.refunds.append(record.fact)
            if record.visitor is not None:
                if record.at - last.get(record.visitor, 0) > 1_800_000:
                    place = event.context.location.country
                    self.visits.append((record.at, place, event.context.timezone))
                last[record.visitor] = record.at


@cache
def season() -> Season:
    return Season()


def test_weekends_have_more_than_their_share_of_the_visits() -> None:
    weekend = sum((at // DAY_MS + 3) % 7 >= 5 for at, _, _ in season().visits)
    assert 2 / 7 < weekend / len(season().visits) < 0.34


@pytest.mark.parametrize("country", ["DE", "JP", "US"])
def test_everybody_comes_in_the_evening_of_their_own_day_and_sleeps_at_night(country: str) -> None:
    hours: Counter[int] = Counter()
    for at, place, zone in season().visits:
        if place == country:
            hours[datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).hour] += 1
    assert sum(hours[hour] for hour in (18, 19, 20, 21)) > 5 * sum(hours[hour] for hour in (1, 2, 3, 4))
    assert 17 <= max(hours, key=hours.__getitem__) <= 22


def test_black_friday_is_far_above_an_ordinary_friday() -> None:
    visits = Counter(at // DAY_MS for at, _, _ in season().visits)
    friday = day(2025, 11, 28)
    assert seasonality.black_friday(day(2025, 3, 1)) == friday
    ordinary = [visits[friday - 7 * week] for week in range(2, 8)]
    assert visits[friday] > 1.7 * max(ordinary)


def test_each_step_to_the_order_is_taken_by_fewer() -> None:
    names = season().names
    steps = ["Product Viewed", "Product Added", "Cart Viewed", "Checkout Started", "Order Completed"]
    assert all(names[later] < 0.95 * names[earlier] for earlier, later in pairwise(steps))
    assert 0.02 < names["Order Completed"] / len(season().visits) < 0.05
    assert 0.05 < names["Order Refunded"] / names["Order Completed"] < 0.2


def test_baskets_are_small_and_some_are_large() -> None:
    units = [sum(line.units for line in sale.lines) for sale in season().sales]
    assert 1.2 < sum(units) / len(units) < 2.5
    assert max(units) >= 5
    assert 0.4 < sum(count == 1 for count in units) / len(units) < 0.8


def test_a_fifth_of_the_products_and_of_the_customers_bring_far_more_than_a_fifth() -> None:
    products, customers = defaultdict(int), Counter()
    for sale in season().sales:
        for line in sale.lines:
            products[line.product_id] += line.units
        if not sale.user_id.startswith("g-"):
            customers[sale.user_id] += 1
    sold = sorted(products.values(), reverse=True)
    assert sum(sold[: 240 // 5]) > 0.45 * sum(sold)
    ordered = sorted(customers.values(), reverse=True)
    assert sum(ordered[: len(ordered) // 5]) > 0.3 * sum(ordered)
    repeat = sum(many > 1 for many in ordered) / len(ordered)
    assert 0.1 < repeat < 0.5


def test_most_sell_at_home_and_each_country_in_its_own_currency() -> None:
    currencies = {market.code: market.currency for market in MARKETS}
    countries = Counter(sale.country for sale in season().sales)
    assert countries.most_common(1)[0][0] == "DE"
    assert all(sale.currency == currencies[sale.country] for sale in season().sales)


def test_a_growing_shop_grows() -> None:
    config = Config(7, datetime(2026, 4, 1, tzinfo=UTC), 730, 12, 0.0, growth=1.0)
    orders = Counter(record.at // DAY_MS >= day(2025, 4, 1) for record in simulate.records(config))
    assert 1.6 < orders[True] / orders[False] < 2.5
    assert seasonality.growth(0.2, 365) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("year", "month", "number"),
    [(2000, 4, 23), (2019, 4, 21), (2024, 3, 31), (2025, 4, 20), (2026, 4, 5), (2038, 4, 25)],
)
def test_easter_is_when_the_church_says(year: int, month: int, number: int) -> None:
    assert seasonality.easter(year) == day(year, month, number)


@pytest.mark.parametrize(
    ("country", "when"),
    [
        ("DE", (2026, 4, 3)),
        ("DE", (2026, 10, 3)),
        ("US", (2025, 11, 27)),
        ("GB", (2026, 4, 6)),
        ("JP", (2026, 5, 5)),
    ],
)
def test_holidays_are_those_of_the_country(country: str, when: tuple[int, int, int]) -> None:
    assert seasonality.is_holiday(day(*when), country)
    assert not seasonality.is_holiday(day(2026, 3, 10), country)
    assert seasonality.factor(day(*when), country) < seasonality.factor(day(*when))


def test_more_is_bought_when_the_wages_are_there_and_before_christmas() -> None:
    def mean(month: int, numbers: range) -> float:
        found = [
            seasonality.factor(day(year, month, number)) for year in (2024, 2025, 2026) for number in numbers
        ]
        return sum(found) / len(found)

    assert mean(6, range(26, 31)) > 1.08 * mean(6, range(14, 22))
    assert mean(12, range(8, 22)) > 1.25 * mean(8, range(8, 22))


@given(st.integers(day(2000, 1, 1), day(2037, 12, 31)), st.sampled_from(MARKETS), st.randoms())
def test_a_visit_begins_on_its_day_whatever_the_clocks_do(when: int, market, rng) -> None:  # type: ignore[no-untyped-def]
    for city in market.cities:
        assert when * DAY_MS <= seasonality.moment(rng, city.zone, when) < (when + 1) * DAY_MS


def test_summer_time_moves_the_evening_by_an_hour() -> None:
    assert seasonality.offset("Europe/Berlin", day(2026, 3, 28)) == 3_600_000
    assert seasonality.offset("Europe/Berlin", day(2026, 3, 29)) == 7_200_000
    assert seasonality.offset("Asia/Tokyo", day(2026, 7, 1)) == 32_400_000


def test_a_year_has_about_the_visits_that_were_asked_for() -> None:
    factors = [seasonality.factor(day(2025, 1, 1) + number) for number in range(365)]
    assert 0.97 < sum(factors) / len(factors) < 1.05
