"""The world around the visits: stock, currencies, channels, devices, prices, and what a scenario does to them."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_generator import campaigns, markets, simulate, stock
from data_generator.catalogue import Catalogue
from data_generator.config import DAY_MS, Config
from data_generator.facts import Record, Refund, Sale
from data_generator.scenario import Scenario, Window
from data_generator.world import build
from ingestion.decode import Rejected, decode
from mercato.events import TRACK

END = datetime(2026, 3, 29, tzinfo=UTC)
seeds = st.integers(0, 2**31)
Pairs = list[tuple[Record, dict[str, Any]]]


def told(seed: int, **options: Any) -> Pairs:
    """Records with their events, in the order of the timestamps; decimals as text."""
    config = Config(seed, **{"end": END, "days": 6, "sessions_per_day": 100, "faults": 0.0} | options)
    pairs = [(record, json.loads(record.line, parse_float=str)) for record in simulate.records(config)]
    return sorted(pairs, key=lambda pair: pair[0].at)


@cache
def month() -> Pairs:
    """An ordinary month."""
    return told(7, days=30, sessions_per_day=360)


def named(pairs: Pairs, *names: str) -> Pairs:
    return [pair for pair in pairs if pair[1].get("event") in names]


@given(seeds, st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(1, 40)), max_size=60))
def test_a_shelf_never_gives_more_than_lay_on_it(seed: int, wanted: list[tuple[int, int, int]]) -> None:
    shelf = stock.Stock(f"{seed}", [0.1, 0.5, 1.0, 2.0])
    there = list(shelf.lot)
    now = 0
    for number, units, hours in wanted:
        now += hours * 3_600_000
        for moment, delivered, pieces in shelf.delivered(now):
            assert moment < now
            there[delivered] += pieces
        if units > shelf.level[number]:
            with pytest.raises(ValueError, match="wanted"):
                shelf.take(number, units, now)
        else:
            shelf.take(number, units, now)
            there[number] -= units
        assert shelf.level == there
        assert min(there) >= 0


def test_no_centre_ever_sells_what_it_does_not_have_and_what_ran_out_is_seen_but_not_added(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stock, "_LASTS", (1, 1))
    monkeypatch.setattr(stock, "_LEAD_DAYS", (1, 3))
    config = Config(7, END, 8, 2_400, 0.0)
    shard = simulate._Shard(config, build(7, 2_400 * 16), 3)
    numbers = {product.product_id: product.number for product in shard._world.catalogue.products}
    left = list(shard._shop.stock.lot)
    changes, gone = [], Counter()
    for day in range(config.start_ms // DAY_MS, config.end_ms // DAY_MS):
        for record in shard.day(day):
            properties = json.loads(record.line)["properties"] if b'"properties"' in record.line else {}
            if properties.get("reason") == "restocked":
                assert properties["inventory_quantity"] >= properties["quantity"]
                changes.append((record.at, properties["product_id"], properties["quantity"]))
            elif isinstance(record.fact, Sale):
                assert properties["fulfilment_centre"] == "fc-3"
                changes += [(record.at, line.product_id, -line.units) for line in record.fact.lines]
            gone["out"] += properties.get("availability") == "out_of_stock"
    for _, product, pieces in sorted(changes):
        left[numbers[product]] += pieces
        assert left[numbers[product]] >= 0
    assert gone["out"] > 20
    assert sum(pieces > 0 for _, _, pieces in changes) > 5


@given(st.integers(1, 5_000), st.data())
def test_who_has_gone_never_comes_back_and_no_two_have_a_place_or_a_number(count: int, data: Any) -> None:
    people = build(7, count).people
    place, other = (data.draw(st.integers(0, count - 1)) for _ in range(2))
    day, later = sorted(data.draw(st.integers(0, 5_000)) for _ in range(2))
    first, second = people.at(place, day), people.at(place, later)
    assert people.stays(first, later) == (first == second)
    assert second >= first
    assert day >= 365 or first == place, "the first year is the first people's"
    assert people.at(place, day + 365) > first or day + 365 < 730
    assert (people.at(other, later) == second) == (other == place)


def test_a_visitor_s_visits_end_however_old_the_shop_gets() -> None:
    days: dict[str, list[int]] = defaultdict(list)
    buyers: dict[int, set[str]] = defaultdict(set)
    config = Config(7, END, 1_500, 8, 0.0)
    for record in simulate.records(config):
        event = json.loads(record.line)
        day = (record.at - config.start_ms) // DAY_MS
        if "anonymousId" in event and event["type"] == "page":
            days[event["anonymousId"]].append(day)
        if event.get("event") == "Order Completed" and event["userId"].startswith("u-"):
            buyers[day // 300].add(event["userId"])
    spans = {visitor: max(seen) - min(seen) for visitor, seen in days.items()}
    assert max(spans[visitor] for visitor, seen in days.items() if min(seen) > 730) <= 366
    assert max(spans.values()) <= 731
    # As many customers in the fifth 300 days as in the second, and nearly all of them others.
    assert 0.7 < len(buyers[4]) / len(buyers[1]) < 2
    assert len(buyers[4] & buyers[1]) == 0


def test_every_event_of_the_shop_obeys_the_contract_and_all_kinds_of_them_occur() -> None:
    now = END + timedelta(days=1)
    for record, _ in month():
        found = decode(record.line, now, 1_000_000)
        assert not isinstance(found, Rejected), found
    assert set(TRACK) <= {event.get("event") for _, event in month()}


def test_yen_have_no_decimals_and_everything_else_has_two() -> None:
    seen = set()
    for _, event in month():
        properties = event.get("properties", {})
        for body in (properties, *properties.get("products", ())):
            unit = body.get("currency", properties.get("currency"))
            for name in (
                "price",
                "total",
                "subtotal",
                "revenue",
                "tax",
                "shipping",
                "discount",
                "value",
                "cost",
            ):
                if name in body:
                    seen.add(unit)
                    assert isinstance(body[name], int) if unit == "JPY" else body[name][-3] == "."
    assert seen == set(markets.CURRENCIES)


@pytest.mark.parametrize("unit", markets.CURRENCIES)
def test_a_price_list_rises_with_the_price_and_is_never_free(unit: str) -> None:
    prices = [markets.in_currency(euro, unit) for euro in range(1, 30_000, 7)]
    assert min(prices) > 0
    assert prices == sorted(prices)


def test_the_country_of_an_order_can_be_told_from_its_event_in_every_way() -> None:
    countries = set()
    for record, event in month():
        place = event["context"].get("location")
        if place and "locale" in event["context"]:
            assert event["context"]["locale"][-2:] == place["country"]
        if isinstance(record.fact, Sale | Refund):
            assert place["country"] == record.fact.country
            assert event["properties"]["currency"] == record.fact.currency
            assert event["userId"] == record.fact.user_id
            countries.add(record.fact.country)
    assert countries == {market.code for market in markets.MARKETS}


def test_the_channel_is_what_the_warehouse_makes_of_the_context_and_one_in_a_session() -> None:
    last: dict[str, tuple[int, str]] = {}
    found = Counter()
    for record, event in month():
        if record.visitor is None:
            continue
        campaign = event["context"].get("campaign", {})
        medium = campaign.get("medium", "").lower()
        if medium in ("cpc", "ppc", "paid", "paid_search", "paid_social", "display"):
            channel = "paid"
        elif medium in ("email", "newsletter"):
            channel = "email"
        elif medium in ("social", "affiliate", "organic", "referral"):
            channel = medium
        elif campaign.get("source"):
            channel = "other"
        else:
            channel = "referral" if event["context"]["page"].get("referrer") else "direct"
        assert record.channel == channel
        before = last.get(record.visitor)
        assert before is None or before[1] == channel or record.at - before[0] > 30 * 60_000
        last[record.visitor] = (record.at, channel)
        found[channel] += 1
    assert set(found) == {arrival.channel for arrival in campaigns.ARRIVALS}


def test_two_devices_of_a_person_have_two_ids_and_no_device_has_two_owners() -> None:
    devices, owners = defaultdict(set), defaultdict(set)
    for record, event in month():
        user = event.get("userId", "g-")
        if record.visitor is not None and not user.startswith("g-"):
            devices[user].add(record.visitor)
            owners[record.visitor].add(user)
    assert sum(len(ids) > 1 for ids in devices.values()) > 10
    assert all(len(users) == 1 for users in owners.values())


def test_what_is_left_in_a_cart_on_one_device_is_now_and_then_bought_on_another() -> None:
    added = defaultdict(set)
    elsewhere = 0
    for record, event in month():
        if event.get("event") == "Product Added":
            added[record.visitor].add(event["properties"]["product_id"])
        elif isinstance(record.fact, Sale):
            elsewhere += not {line.product_id for line in record.fact.lines} <= added[record.visitor]
    assert elsewhere >= 2


@given(seeds)
@settings(max_examples=4, deadline=None)
def test_a_cancelled_order_is_given_back_whole_and_an_updated_one_costs_what_it_cost(seed: int) -> None:
    orders: dict[str, Any] = {}
    cancelled: dict[str, Any] = {}
    money = ("total", "subtotal", "tax", "shipping", "discount", "products")
    config_end = END.timestamp() * 1000 - 120_000
    for record, event in told(seed, days=8, sessions_per_day=200):
        body, name = event.get("properties", {}), event.get("event")
        if name == "Order Completed":
            orders[body["order_id"]] = body
        elif name in ("Order Updated", "Order Cancelled"):
            assert [body[key] for key in money] == [orders[body["order_id"]][key] for key in money]
            if name == "Order Cancelled" and record.at < config_end:
                cancelled[body["order_id"]] = body
        elif name == "Order Refunded" and body["order_id"] in cancelled:
            order = cancelled.pop(body["order_id"])
            assert [body[key] for key in money] == [order[key] for key in money]
    assert not cancelled


def test_a_failed_payment_is_tried_again_or_given_up_but_never_fails_after_the_order() -> None:
    entered, failed, paid = Counter(), Counter(), Counter()
    for _, event in named(month(), "Payment Info Entered", "Payment Failed", "Order Completed"):
        order = event["properties"]["order_id"]
        assert not paid[order]
        if event["event"] == "Payment Failed":
            failed[order] += 1
            assert failed[order] == entered[order]
        elif event["event"] == "Order Completed":
            paid[order] += 1
            assert entered[order] > failed[order]
        else:
            entered[order] += 1
    again = [order for order in failed if paid[order]]
    assert 0 < len(again) < len(failed)


def test_prices_change_a_few_times_a_year_on_dates_that_no_history_moves() -> None:
    catalogue, start = Catalogue(7), 20_500
    changes = Counter(number for day in range(start, start + 365) for number in catalogue.repriced(day))
    assert 1 < sum(changes.values()) / len(catalogue.products) < 4
    assert max(changes.values()) <= 6
    late = Catalogue(7)  # asked for the last day only
    assert [late.price(n, start + 364) for n in range(240)] == [
        catalogue.price(n, start + 364) for n in range(240)
    ]
    assert all(product.cost < late.price(product.number, start) for product in late.products)


def test_a_promotion_is_shown_only_while_its_prices_hold() -> None:
    catalogue, shown = Catalogue(7), 0
    for day in range(20_500, 20_600):
        shelf = catalogue.shelf(day, "EUR")
        off = {promotion.category: promotion.percent for promotion in catalogue.promotions(day)}
        shown += bool(off)
        for item in shelf.items[::5]:
            price = catalogue.price(item.product.number, day)
            assert item.price == price * (100 - off.get(item.product.category, 0)) // 100
    assert 20 < shown < 90


def test_a_shard_alone_does_what_it_does_among_the_others() -> None:
    config = Config(7, END, 3, 100, 0.1)
    together: dict[int, list[Record]] = {}
    world = build(7, 1_600)
    shards = [simulate._Shard(config, world, number) for number in range(simulate.SHARDS)]
    for day in range(config.start_ms // DAY_MS, config.end_ms // DAY_MS):
        for number, shard in enumerate(shards):
            together.setdefault(number, []).extend(shard.day(day))
    for number in (0, 5):
        alone = simulate._Shard(config, build(7, 1_600), number)
        days = range(config.start_ms // DAY_MS, config.end_ms // DAY_MS)
        assert [record for day in days for record in alone.day(day)] == together[number]


def test_a_million_people_cost_no_more_than_those_who_come() -> None:
    people = build(7, 1_000_000).people
    for number in range(0, 1_000_000, 100):
        people.person(number)
    assert people.person.cache_info().currsize <= 4_096
    assert build(7, 10).people.person(5) == people.person(5)


NOON = int(END.timestamp()) * 1000 - 3 * DAY_MS + DAY_MS // 2


@cache
def ordinary() -> Pairs:
    """The two days that the scenarios change."""
    return told(7, days=4, sessions_per_day=1_000)


def during(kind: str, strength: float, minutes: int = 720) -> tuple[Pairs, Pairs]:
    """The events within a window of the kind, and those of the same hours without it."""
    window = Window(kind, NOON, NOON + minutes * 60_000, strength)
    changed = told(7, days=4, sessions_per_day=1_000, scenario=Scenario((window,)))
    whole = (changed, ordinary())
    first, second = ([pair for pair in pairs if window.start <= pair[0].at < window.end] for pairs in whole)
    return first, second


def test_in_a_payment_outage_payments_fail_and_nobody_buys() -> None:
    outage, calm = during("payment_outage", 1.0)
    assert not named(outage, "Order Completed")
    assert len(named(calm, "Order Completed")) > 15
    failed, entered = named(outage, "Payment Failed"), named(outage, "Payment Info Entered")
    assert len(failed) > 0.9 * len(entered) > 15
    assert {event["properties"]["reason"] for _, event in failed} >= {"gateway_timeout"}


def test_carts_are_abandoned_in_their_window() -> None:
    abandoned, calm = during("cart_abandonment", 0.9)
    rates = [
        len(named(pairs, "Checkout Started")) / len(named(pairs, "Cart Viewed"))
        for pairs in (abandoned, calm)
    ]
    assert rates[0] < 0.25 * rates[1]


def test_a_price_slip_shows_and_charges_the_wrong_price_on_a_tenth_of_the_products() -> None:
    slipped, calm = during("price_slip", 0.1)
    usual = {
        (event["properties"]["product_id"], event["properties"]["currency"]): float(
            event["properties"]["price"]
        )
        for _, event in named(calm, "Product Viewed")
    }
    wrong = {
        event["properties"]["product_id"]
        for _, event in named(slipped, "Product Viewed")
        if float(event["properties"]["price"])
        < 0.3 * usual.get((event["properties"]["product_id"], event["properties"]["currency"]), 0)
    }
    charged = {
        line["product_id"]
        for _, event in named(slipped, "Order Completed")
        for line in event["properties"]["products"]
        if float(line["price"]) < 0.3 * usual.get((line["product_id"], event["properties"]["currency"]), 0)
    }
    assert 10 < len(wrong) <= 24
    assert charged <= wrong


def test_a_bot_is_one_visitor_who_only_looks_and_says_what_it_is() -> None:
    burst, _ = during("bot_burst", 30.0, minutes=60)
    bots = [(record, event) for record, event in burst if "Bot" in event["context"].get("userAgent", "")]
    assert 1_500 < len(bots) <= 5_400
    assert len({record.visitor for record, _ in bots}) == 1
    assert {event["event"] for _, event in bots} == {"Product Viewed"}


@pytest.mark.parametrize(("strength", "least", "most"), [(3.0, 2.5, 3.6), (0.25, 0.15, 0.4)])
def test_traffic_multiplies_the_visits(strength: float, least: float, most: float) -> None:
    crowd, calm = during("traffic", strength)
    visitors = [len({record.visitor for record, _ in pairs}) for pairs in (crowd, calm)]
    assert least < visitors[0] / visitors[1] < most


def test_a_second_tab_interleaves_with_the_first_under_the_same_visitor() -> None:
    shuffled = 0
    before: dict[str, str] = {}
    for record, _ in month():
        if record.visitor is None:
            continue
        prefix = record.message_id[:-4]
        shuffled += before.get(record.visitor) not in (None, prefix)
        before[record.visitor] = prefix
    assert shuffled > 100
