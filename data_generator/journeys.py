"""What one visit does: events in the order of life, left off at any step. Pure: time and chance come in.

search or list → product → cart → checkout → identify → payment → order → (days later) refund
"""

from random import Random

from data_generator import orders
from data_generator.config import DAY_MS
from data_generator.encode import id_prefix, json_text, money, uuid
from data_generator.facts import Event, Line, Refund, Sale
from data_generator.world import CURRENCY, Person, Product, World

MINUTE = 60_000


#: Chance of each step, given the one before.
STAY = 0.80  # goes on after the first page
SEARCH = 0.30
ADD = 0.11  # of each product viewed
REMOVE = 0.10
TO_CART = 0.70
TO_CHECKOUT = 0.58
TO_SHIPPING = 0.80
TO_PAYMENT = 0.86
TO_ORDER = 0.85
COUPON = 0.22
REFUNDED = 0.10
WHOLE = 0.45  # of the refunds
LONG_PAUSE = 0.004  # some are longer than the 30 minutes that end a session

_CAMPAIGNS = (
    "",
    "",
    "",
    ',"campaign":{"name":"brand","source":"google","medium":"cpc"}',
    ',"campaign":{"name":"spring-letter","source":"newsletter","medium":"email"}',
    ',"campaign":{"name":"lookbook","source":"instagram","medium":"social"}',
)
_HOME = '{"name":"Home","path":"/","url":"https://shop.example/","title":"Home"}'
_SERVER = '{"library":{"name":"analytics-python","version":"2.3.3"}}'


class _Visit:
    """The events so far, the clock, and who is speaking."""

    def __init__(self, rng: Random, person: Person, known: bool, start: int) -> None:
        self.rng = rng
        self.person = person
        self.who = person.known if known else person.unknown
        self.known = known
        self.now = start
        self.events: list[Event] = []
        campaign = int(rng.random() * len(_CAMPAIGNS))
        self.context = f"{{{person.context}{_CAMPAIGNS[campaign]}}}"
        self.channel = ("direct", "direct", "direct", "paid", "email", "social")[campaign]
        self.prefix = id_prefix(rng)

    def does(self, name: str, body: str, fact: Sale | None = None) -> None:
        """Add an event now, then let some seconds pass."""
        person = self.person
        message_id = f"{self.prefix}{len(self.events):04x}"
        self.events.append(
            Event(
                self.now,
                name,
                message_id,
                person.anonymous_id,
                person.anonymous_id,
                self.who,
                self.context,
                body,
                fact,
                self.channel,
            )
        )
        draw = self.rng.random()
        self.now += 1_500 + int(draw * draw * draw * 4 * MINUTE)
        if self.rng.random() < LONG_PAUSE:
            self.now += int((15 + 40 * self.rng.random()) * MINUTE)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share


def walk(rng: Random, world: World, person: Person, known: bool, start: int) -> list[Event]:
    """The events of one visit from `start` (ms), in order, and the refund, if any, which comes days later.

    `known` says whether the person has logged in on this device before; if the visit has an identify call,
    it holds from there on.
    """
    visit = _Visit(rng, person, known, start)
    cart = _browse(visit, world)
    if cart and visit.chance(TO_CART):
        lines = tuple(cart.items())
        visit.does("Cart Viewed", f'{{"cart_id":"{visit.prefix}","products":[{_lines(lines)}]}}')
        if visit.chance(TO_CHECKOUT):
            _check_out(visit, lines)
    return visit.events


def _browse(visit: _Visit, world: World) -> dict[Product, int]:
    """Look around; returns the cart."""
    rng = visit.rng
    cart: dict[Product, int] = {}
    landing = visit.chance(0.25)
    if landing:  # an advert leads straight to a product
        _look(visit, world.favourite(rng), cart)
    else:
        visit.does("page", _HOME)
    if not visit.chance(STAY):
        return cart
    while True:
        if visit.chance(SEARCH):
            product = world.favourite(rng)
            visit.does("Products Searched", f'{{"query":{json_text(product.name.lower())}}}')
        else:
            category = world.categories[int(rng.random() * len(world.categories))]
            visit.does("Product List Viewed", category.listing)
            product = category.products[int(rng.random() ** 2 * len(category.products))]
        if visit.chance(0.85):
            _look(visit, product, cart)
        if visit.chance(0.35):
            _look(visit, world.favourite(rng), cart)
        if visit.chance(0.52):
            return cart


def _look(visit: _Visit, product: Product, cart: dict[Product, int]) -> None:
    """View a product, and perhaps put it into the cart, and perhaps take it out again."""
    visit.does("Product Viewed", f"{{{product.members}}}")
    if not visit.chance(ADD):
        return
    quantity = (1, 1, 1, 1, 1, 1, 1, 2, 2, 3)[int(visit.rng.random() * 10)]
    body = f'{{"cart_id":"{visit.prefix}",{product.members},"quantity":'
    visit.does("Product Added", f"{body}{quantity}}}")
    cart[product] = cart.get(product, 0) + quantity
    if visit.chance(REMOVE):
        visit.does("Product Removed", f"{body}{cart.pop(product)}}}")


def _check_out(visit: _Visit, lines: tuple[tuple[Product, int], ...]) -> None:
    """From the checkout to the order and its refund; most give up on the way."""
    rng, person = visit.rng, visit.person
    order_id, checkout_id = uuid(rng), f"c-{visit.prefix}"
    worth = sum(product.price * quantity for product, quantity in lines)
    visit.does(
        "Checkout Started",
        f'{{"order_id":"{order_id}","currency":"{CURRENCY}","value":{money(worth)},"products":[{_lines(lines)}]}}',
    )
    if not visit.known:
        visit.who, visit.known = person.known, True
        visit.does("identify", person.traits)
    if not visit.chance(TO_SHIPPING):
        return
    method = "express" if visit.chance(0.15) else "standard"
    step = f'{{"checkout_id":"{checkout_id}","step":'
    visit.does("Checkout Step Completed", f'{step}1,"shipping_method":"{method}"}}')
    if not visit.chance(TO_PAYMENT):
        return
    payment = ("card", "card", "paypal", "invoice")[int(rng.random() * 4)]
    visit.does("Payment Info Entered", f'{step}2,"payment_method":"{payment}"}}')
    if not visit.chance(TO_ORDER):
        return
    visit.does("Checkout Step Completed", f'{step}2,"payment_method":"{payment}"}}')
    percent = (5, 10, 20)[int(rng.random() * 3)] if visit.chance(COUPON) else 0
    order = orders.place(lines, percent, person.tax_permille, method)
    coupon = f',"coupon":"SAVE{percent}"' if percent else ""
    visit.does(
        "Order Completed",
        f'{{"checkout_id":"{checkout_id}","order_id":"{order_id}","affiliation":"web","currency":"{CURRENCY}",'
        f'"total":{money(order.total)},"subtotal":{money(order.subtotal)},"revenue":{money(order.subtotal)},'
        f'"shipping":{money(order.shipping)},"tax":{money(order.tax)},"discount":{money(order.discount)}{coupon},'
        f'"products":[{_lines(lines)}]}}',
        Sale(
            order_id,
            person.user_id,
            person.country,
            CURRENCY,
            tuple(
                Line(product.product_id, quantity, product.price * quantity) for product, quantity in lines
            ),
            order.discount,
            order.shipping,
            order.tax,
        ),
    )
    if visit.chance(REFUNDED):
        visit.events.append(_refund(visit, order, order_id))


def _refund(visit: _Visit, order: orders.Order, order_id: str) -> Event:
    """The server gives money back, one to fourteen days later; it knows the customer, not the device."""
    rng, user = visit.rng, visit.person.user_id
    quantities = tuple(quantity for _, quantity in order.lines)
    if not visit.chance(WHOLE):
        line = int(rng.random() * len(quantities))
        back = 1 + int(rng.random() * quantities[line])
        quantities = tuple(back if at == line else 0 for at in range(len(quantities)))
    part = orders.refund(order, quantities)
    body = (
        f'{{"order_id":"{order_id}","currency":"{CURRENCY}","total":{money(part.total)},'
        f'"subtotal":{money(part.subtotal)},"shipping":{money(part.shipping)},"tax":{money(part.tax)},'
        f'"discount":{money(part.discount)},"products":[{_lines(part.lines)}]}}'
    )
    at = visit.now + int((1 + 13 * rng.random()) * DAY_MS)
    message_id = f"{visit.prefix}{len(visit.events):04x}"
    return Event(
        at,
        "Order Refunded",
        message_id,
        user,
        None,
        f'"userId":"{user}",',
        _SERVER,
        body,
        Refund(order_id, user, visit.person.country, CURRENCY, part.subtotal),
        visit.channel,
    )


def _lines(lines: tuple[tuple[Product, int], ...]) -> str:
    return ",".join(
        f'{{{product.members},"quantity":{quantity},"position":{at}}}'
        for at, (product, quantity) in enumerate(lines, 1)
    )
