"""What the server says after an order: late delivery, another address, cancelled, money given back."""

from data_generator import orders
from data_generator.config import DAY_MS
from data_generator.encode import day_text, json_text
from data_generator.facts import Event, Refund, Sale
from data_generator.visit import MINUTE, Visit

#: Share of the orders. A cancelled one is refunded at once and whole, and nothing else happens to it.
CANCELLED = 0.03
MOVED = 0.02
DELAYED = 0.06
REFUNDED = 0.09
WHOLE = 0.45  # of the refunds


def follow(visit: Visit, order: orders.Order, sale: Sale, ordered_at: int) -> None:
    """Add what happens to an order in the days after it to the visit's events."""
    rng = visit.rng
    if visit.chance(CANCELLED):
        at = ordered_at + int((10 + 1_800 * rng.random()) * MINUTE)
        _says(visit, at, "Order Cancelled", sale, f'"order_id":"{sale.order_id}",{order.amounts()}')
        _refunds(visit, at + 1_000 + int(20_000 * rng.random()), order, sale)
        return
    if visit.chance(MOVED):
        city = visit.person.market.cities[int(rng.random() * len(visit.person.market.cities))].name
        address = f'"shipping_address":{{"city":{json_text(city)},"country":"{sale.country}"}}'
        at = ordered_at + int((5 + 115 * rng.random()) * MINUTE)
        _says(visit, at, "Order Updated", sale, _updated(sale, order, address))
    if visit.chance(DELAYED):
        at = ordered_at + int((2 + 4 * rng.random()) * DAY_MS)
        promised = day_text(at // DAY_MS + 2 + int(5 * rng.random()))
        late = f'"delivery":{{"status":"delayed","expected":"{promised}"}}'
        _says(visit, at, "Order Updated", sale, _updated(sale, order, late))
    if visit.chance(REFUNDED):
        quantities = tuple(quantity for _, quantity in order.lines)
        if not visit.chance(WHOLE):
            line = int(rng.random() * len(quantities))
            back = 1 + int(rng.random() * quantities[line])
            quantities = tuple(back if at == line else 0 for at in range(len(quantities)))
        at = ordered_at + int((1 + 13 * rng.random()) * DAY_MS)
        _refunds(visit, at, orders.refund(order, quantities), sale)


def _updated(sale: Sale, order: orders.Order, news: str) -> str:
    return f'"order_id":"{sale.order_id}",{order.amounts()},{news}'


def _refunds(visit: Visit, at: int, part: orders.Order, sale: Sale) -> None:
    fact = Refund(sale.order_id, sale.user_id, sale.country, sale.currency, part.subtotal)
    _says(visit, at, "Order Refunded", sale, f'"order_id":"{sale.order_id}",{part.amounts()}', fact)


def _says(visit: Visit, at: int, name: str, sale: Sale, body: str, fact: Refund | None = None) -> None:
    """An event of the server: it knows the customer, not the device."""
    visit.events.append(
        Event(
            at,
            name,
            f"{visit.prefix}{len(visit.events):04x}",
            sale.user_id,
            None,
            f'"userId":"{sale.user_id}",',
            f'{{"library":{{"name":"analytics-python","version":"2.3.3"}},"location":{{"country":"{sale.country}"}}}}',
            f"{{{body}}}",
            fact,
            visit.channel,
        )
    )
