"""Money of an order and of its refund, in integer minor units. Pure; what must add up adds up here."""

from dataclasses import dataclass

from data_generator.catalogue import Item
from data_generator.encode import money
from data_generator.markets import DELIVERY

Lines = tuple[tuple[Item, int], ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Lines (item, quantity) and the amounts on top; also the part of an order that is refunded."""

    lines: Lines
    currency: str
    discount: int
    shipping: int
    tax: int

    @property
    def merchandise(self) -> int:
        """Σ price × quantity."""
        return worth(self.lines)

    @property
    def subtotal(self) -> int:
        """Merchandise after the discount: the shop's revenue."""
        return self.merchandise - self.discount

    @property
    def total(self) -> int:
        """What is paid."""
        return self.subtotal + self.shipping + self.tax

    def amounts(self) -> str:
        """The amounts and lines as JSON members."""
        unit = self.currency
        subtotal = money(self.subtotal, unit)
        return (
            f'"currency":"{unit}","total":{money(self.total, unit)},"subtotal":{subtotal},"revenue":{subtotal},'
            f'"shipping":{money(self.shipping, unit)},"tax":{money(self.tax, unit)},'
            f'"discount":{money(self.discount, unit)},"products":[{listed(self.lines)}]'
        )


def worth(lines: Lines) -> int:
    """Σ price × quantity."""
    return sum(item.price * quantity for item, quantity in lines)


def listed(lines: Lines) -> str:
    """Lines as JSON objects, without the brackets."""
    return ",".join(
        f'{{{item.members},"quantity":{quantity},"position":{at}}}'
        for at, (item, quantity) in enumerate(lines, 1)
    )


def place(lines: Lines, currency: str, discount_percent: int, tax_permille: int, method: str) -> Order:
    """The order for these lines: discount rounded down; tax, half up, on the discounted merchandise."""
    merchandise = worth(lines)
    discount = merchandise * discount_percent // 100
    subtotal = merchandise - discount
    fees = DELIVERY[currency]
    shipping = fees.express if method == "express" else 0 if subtotal >= fees.free_from else fees.standard
    return Order(lines, currency, discount, shipping, (subtotal * tax_permille + 500) // 1000)


def refund(order: Order, quantities: tuple[int, ...]) -> Order:
    """The part to give back when `quantities` of each line come back, never more than was paid.

    Discount and tax go back by the share of the merchandise; shipping only when everything comes back.
    """
    lines = tuple((item, back) for (item, _), back in zip(order.lines, quantities, strict=True) if back > 0)
    if lines == order.lines:
        return order
    part = worth(lines)
    # Rounded up: a part never gives back more than its share of the discount left in the price.
    discount = -(-order.discount * part // order.merchandise)
    tax = order.tax * (part - discount) // order.subtotal
    return Order(lines, order.currency, discount, 0, tax)
