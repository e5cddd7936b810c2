"""What the shop itself says about its products: new prices, new on the list, delivered, counted."""

from collections.abc import Iterator
from random import Random

from data_generator.config import DAY_MS
from data_generator.encode import money, uuid
from data_generator.facts import Event
from data_generator.world import Shop

_CONTEXT = '{"library":{"name":"analytics-python","version":"2.3.3"}}'


def catalogue_news(rng: Random, shop: Shop, day: int) -> Iterator[Event]:
    """Products whose price changes on a day or whose season begins, at night."""
    catalogue = shop.world.catalogue
    for number in catalogue.repriced(day):
        yield _updated(uuid(rng), shop, number, day * DAY_MS + int(rng.random() * 600_000), "price_changed")
    for number in catalogue.newly_listed(day):
        yield _updated(uuid(rng), shop, number, day * DAY_MS + int(rng.random() * 600_000), "listed")


def deliveries(rng: Random, shop: Shop, until: int) -> Iterator[Event]:
    """Put on the shelf what arrives before `until` (ms), and say so."""
    for moment, number, pieces in shop.stock.delivered(until):
        yield _updated(uuid(rng), shop, number, moment, "restocked", f',"quantity":{pieces}')


def counted(message_id: str, shop: Shop, number: int, at: int) -> Event:
    """How many pieces of a product are left, at a moment in ms."""
    return _updated(message_id, shop, number, at, "counted")


def _updated(message_id: str, shop: Shop, number: int, at: int, reason: str, more: str = "") -> Event:
    catalogue = shop.world.catalogue
    product = catalogue.products[number]
    price = money(catalogue.price(number, at // DAY_MS), "EUR")
    body = (
        f'{{{product.members},"price":{price},"cost":{money(product.cost, "EUR")},"currency":"EUR",'
        f'"inventory_quantity":{shop.stock.level[number]},"fulfilment_centre":"{shop.centre}","reason":"{reason}"'
        f"{more}}}"
    )
    return Event(at, "Product Updated", message_id, product.product_id, None, "", _CONTEXT, body)
