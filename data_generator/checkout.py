"""From the cart to the order: coupon, address, payment, failed and tried again; most give up on the way."""

from data_generator import aftermath, orders, supply
from data_generator.encode import money, uuid
from data_generator.facts import Line, Sale
from data_generator.visit import Visit

#: Chance of each step, given the one before.
TO_CART = 0.72
TO_CHECKOUT = 0.54
TO_SHIPPING = 0.82
TO_PAYMENT = 0.88
TO_ORDER = 0.90
COUPON = 0.24
COUPON_REMOVED = 0.04
CART_SHARED = 0.015
PAYMENT_FAILS = 0.04
TRIES_AGAIN = 0.7
TRIES_AGAIN_IN_OUTAGE = 0.25

#: Code, percent off, and whether it is still good for everybody.
_COUPONS = (("SAVE5", 5, True), ("SAVE10", 10, True), ("SAVE20", 20, True), ("SUMMER19", 0, False))
_WELCOME = ("WELCOME10", 10, True)
_PAYMENTS = ("card", "card", "paypal", "invoice")
_REASONS = ("card_declined", "insufficient_funds", "authentication_failed")


def check_out(visit: Visit) -> bool:
    """From a full cart onwards; True if it ends in an order."""
    visit.goes("/cart")
    lines = tuple(visit.cart.items())
    shown = f'"cart_id":"{visit.prefix}","currency":"{visit.currency}","products":[{orders.listed(lines)}]}}'
    visit.does("Cart Viewed", f"{{{shown}")
    if visit.chance(CART_SHARED):
        visit.does("Cart Shared", f'{{"share_via":"email",{shown}')
    if not visit.chance(TO_CHECKOUT):
        return False
    shop = visit.shop
    if visit.chance(shop.scenario.strength("cart_abandonment", visit.now)):
        return False
    order_id, checkout_id = uuid(visit.rng), f"c-{visit.prefix}"
    coupon, percent = _coupon(visit, lines) if visit.chance(COUPON) else ("", 0)
    unit = visit.currency
    visit.goes("/checkout")
    visit.does(
        "Checkout Started",
        f'{{"order_id":"{order_id}","currency":"{unit}","value":{money(orders.worth(lines), unit)},'
        f'"products":[{orders.listed(lines)}]}}',
    )
    _identify(visit)
    method = _pay(visit, order_id, checkout_id)
    if method is None:
        return False
    _complete(visit, lines, order_id, checkout_id, coupon, percent, method)
    return True


def _identify(visit: Visit) -> None:
    """An account logs in where it is not known yet; a guest gets an id for this order only."""
    person = visit.person
    if person.guest:
        visit.speaks_as(f"g-{visit.rng.getrandbits(64):016x}")
        visit.does("identify", f'{{{visit.shop.world.people.traits(person)},"guest":true}}')
    elif not visit.user_id:
        visit.logs_in()


def _coupon(visit: Visit, lines: orders.Lines) -> tuple[str, int]:
    """Enter a code in the cart; returns the one that holds, and its percent."""
    newcomer = visit.person.number not in visit.shop.memory.orders
    code, percent, good = (*_COUPONS, _WELCOME)[int(visit.rng.random() * 5)]
    entered = (
        f'{{"cart_id":"{visit.prefix}","coupon_id":"{code}","coupon_name":"{code}",'
        f'"currency":"{visit.currency}"'
    )
    visit.does("Coupon Entered", f"{entered}}}")
    if not good or (code == _WELCOME[0] and not newcomer):
        visit.does("Coupon Denied", f'{entered},"reason":"{"expired" if not good else "not_first_order"}"}}')
        return "", 0
    worth = money(orders.worth(lines) * percent // 100, visit.currency)
    visit.does("Coupon Applied", f'{entered},"discount":{worth}}}')
    if visit.chance(COUPON_REMOVED):
        visit.does("Coupon Removed", f'{entered},"discount":{worth}}}')
        return "", 0
    return code, percent


def _pay(visit: Visit, order_id: str, checkout_id: str) -> str | None:
    """Delivery and payment; returns the method of delivery, or None for who gives up."""
    rng = visit.rng
    step = f'{{"checkout_id":"{checkout_id}","order_id":"{order_id}","step":'
    visit.does("Checkout Step Viewed", f"{step}1}}")
    if not visit.chance(TO_SHIPPING):
        return None
    method = "express" if visit.chance(0.15) else "standard"
    visit.does("Checkout Step Completed", f'{step}1,"shipping_method":"{method}"}}')
    visit.does("Checkout Step Viewed", f"{step}2}}")
    if not visit.chance(TO_PAYMENT):
        return None
    while True:
        payment = _PAYMENTS[int(rng.random() * len(_PAYMENTS))]
        visit.does("Payment Info Entered", f'{step}2,"payment_method":"{payment}"}}')
        outage = visit.shop.scenario.strength("payment_outage", visit.now)
        if not visit.chance(max(outage, PAYMENT_FAILS)):
            break
        reason = "gateway_timeout" if outage else _REASONS[int(rng.random() * len(_REASONS))]
        visit.does(
            "Payment Failed",
            f'{{"checkout_id":"{checkout_id}","order_id":"{order_id}","payment_method":"{payment}",'
            f'"reason":"{reason}"}}',
        )
        if not visit.chance(TRIES_AGAIN_IN_OUTAGE if outage else TRIES_AGAIN):
            return None
    if not visit.chance(TO_ORDER):
        return None
    visit.does("Checkout Step Completed", f'{step}2,"payment_method":"{payment}"}}')
    return method


def _complete(
    visit: Visit, lines: orders.Lines, order_id: str, checkout_id: str, coupon: str, percent: int, method: str
) -> None:
    shop, person, market = visit.shop, visit.person, visit.person.market
    order = orders.place(lines, visit.currency, percent, market.tax, method)
    for item, quantity in lines:
        shop.stock.take(item.product.number, quantity, visit.now)
    code = f'"coupon":"{coupon}",' if coupon else ""
    sale = Sale(
        order_id,
        visit.user_id,
        market.code,
        visit.currency,
        tuple(Line(item.product.product_id, quantity, item.price * quantity) for item, quantity in lines),
        order.discount,
        order.shipping,
        order.tax,
    )
    visit.goes("/thanks")
    ordered_at = visit.now
    visit.does(
        "Order Completed",
        f'{{"checkout_id":"{checkout_id}","order_id":"{order_id}","affiliation":"web",'
        f'"fulfilment_centre":"{shop.centre}",{code}{order.amounts()}}}',
        sale,
    )
    for item, _ in lines:
        number = item.product.number
        if shop.stock.to_be_counted(number, ordered_at):
            message_id = f"{visit.prefix}{len(visit.events):04x}"
            visit.events.append(supply.counted(message_id, shop, number, ordered_at + 1))
    if not person.guest:
        shop.memory.ordered(person.number, lines[0][0].product.number)
    aftermath.follow(visit, order, sale, ordered_at)
