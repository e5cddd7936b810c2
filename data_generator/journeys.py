"""What one visit does: events in the order of life, left off at any step. Pure: time and chance come in.

search or list → product → cart → checkout → identify → payment → order → (days later) refund
"""

from random import Random

from data_generator import browse, checkout
from data_generator.campaigns import arrive
from data_generator.facts import Event
from data_generator.people import Person
from data_generator.visit import Visit
from data_generator.world import Shop

#: Chance that a customer is not on the first of several devices.
OTHER_DEVICE = 0.4
#: Chance that a cart left behind, perhaps on another device, is taken up again.
RESUMES = 0.35
SECOND_TAB = 0.03


def walk(rng: Random, shop: Shop, person: Person, start: int) -> list[Event]:
    """The events of one visit from `start` (ms), and of the server because of it, up to weeks later.

    What the shop remembers of the person, and its stock, is brought up to date.
    """
    devices = len(person.devices)
    device = int(rng.random() * devices) if devices > 1 and rng.random() < OTHER_DEVICE else 0
    memory, index = shop.memory, person.number
    arrival = arrive(rng, person.acquired, index in memory.known)
    visit = Visit(rng, shop, person, device, arrival, start)
    if index in memory.carts and visit.chance(RESUMES):
        _resume(visit)
    else:
        browse.browse(visit)
    ordered = bool(visit.cart) and visit.chance(checkout.TO_CART) and checkout.check_out(visit)
    if visit.cart and not ordered and visit.user_id and not person.guest:
        memory.carts[index] = tuple(
            number for item, many in visit.cart.items() for number in (item.product.number, many)
        )
    if rng.random() < SECOND_TAB:
        return _with_second_tab(visit, Visit(rng, shop, person, device, arrival, start))
    return visit.events


def _resume(visit: Visit) -> None:
    """Go on with the cart of an earlier visit, at today's prices, as far as it is still there."""
    left = visit.shop.memory.carts.pop(visit.person.number)
    visit.goes("/login")
    if not visit.user_id:
        visit.logs_in()
    else:
        visit.does("page", '{"name":"Account","path":"/login"}')
    for number, many in zip(left[::2], left[1::2], strict=True):
        there = min(many, visit.shop.stock.level[number])
        if there:
            visit.cart[visit.shelf.items[number]] = there


def _with_second_tab(visit: Visit, tab: Visit) -> list[Event]:
    """The visit with what goes on in another tab of the same browser, soon after its beginning.

    Both tabs share the cookie: who logs in in one is known in the other.
    """
    unknown, events = tab.who, visit.events
    tab.now += int(visit.rng.random() * (min(visit.now - tab.now, 600_000))) + 500
    browse.glance(tab)
    changes = [(event.at, event.who) for event in events if event.visitor is not None]
    for event in tab.events:
        who = [who for at, who in changes if at <= event.at]
        events.append(event._replace(who=who[-1] if who else unknown))
    return events
