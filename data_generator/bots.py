"""A bot that reads the prices: one visitor, many visits a minute, nothing but products."""

from collections.abc import Iterator
from random import Random

from data_generator.config import DAY_MS
from data_generator.encode import id_prefix, uuid
from data_generator.facts import Event
from data_generator.scenario import Window
from data_generator.world import World

_CONTEXT = (
    '{"library":{"name":"analytics.js","version":"2.11.1"},"locale":"en-US","timezone":"America/Chicago",'
    '"location":{"country":"US","city":"Chicago"},"device":{"type":"desktop"},'
    '"userAgent":"Mozilla/5.0 (compatible; PriceCrawlerBot/2.1; +https://crawler.example.com/bot)",'
    '"page":{"path":"/p/'
)


def burst(seed: int, world: World, window: Window, day: int) -> Iterator[Event]:
    """What the bot of a window does on one UTC day. The window's strength is visits a minute."""
    rng = Random(f"{seed}/bot/{window.start}")  # noqa: S311 -- a simulation, to be repeated
    visitor = uuid(rng)
    who = f'"anonymousId":"{visitor}",'
    rng = Random(f"{seed}/bot/{window.start}/{day}")  # noqa: S311
    first, last = max(window.start, day * DAY_MS), min(window.end, (day + 1) * DAY_MS)
    items = world.catalogue.shelf(day, "USD").items
    visits = round((last - first) / 60_000 * window.strength)
    for moment in sorted(first + int(rng.random() * (last - first)) for _ in range(visits)):
        prefix = id_prefix(rng)
        for place in range(1 + int(rng.random() * 3)):
            at = moment + place * 120
            if at >= last:
                break
            item = items[int(rng.random() * len(items))]
            context = f'{_CONTEXT}{item.product.product_id}"}}}}'
            name, message_id = "Product Viewed", f"{prefix}{place:04x}"
            yield Event(at, name, message_id, visitor, visitor, who, context, item.seen)
