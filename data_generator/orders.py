"""Money of an order and of its refund, in integer minor units. Pure; what must add up adds up here."""

from dataclasses import dataclass

from data_generator.world import Product

FREE_SHIPPING_FROM = 5_000
SHIPPING = {"standard": 490, "express": 990}


@dataclass(frozen=True, slots=True)
class Order:
    """Lines (product, quantity) and the amounts on top; also the part of an order that is refunded."""

    lines: tuple[tuple[Product, int], ...]
    discount: int
    shipping: int
    tax: int

    @property
    def units(self) -> int:
        """Pieces in all lines."""
        return sum(quantity for _, quantity in self.lines)

    @property
    def merchandise(self) -> int:
        """Σ price × quantity."""
        return sum(product.price * quantity for product, quantity in self.lines)

    @property
    def subtotal(self) -> int:
        """Merchandise after the discount: the shop's revenue."""
        return self.merchandise - self.discount

    @property
    def total(self) -> int:
        """What is paid."""
        return self.subtotal + self.shipping + self.tax


def place(
    lines: tuple[tuple[Product, int], ...], discount_percent: int, tax_permille: int, method: str
) -> Order:
    """The order for these lines: discount rounded down; tax, half up, on the discounted merchandise."""
    merchandise = sum(product.price * quantity for product, quantity in lines)
    discount = merchandise * discount_percent // 100
    subtotal = merchandise - discount
    free = method == "standard" and subtotal >= FREE_SHIPPING_FROM
    return Order(lines, discount, 0 if free else SHIPPING[method], (subtotal * tax_permille + 500) // 1000)


def refund(order: Order, quantities: tuple[int, ...]) -> Order:
    """The part to give back when `quantities` of each line come back, never more than was paid.

    Discount and tax go back by the share of the merchandise; shipping only when everything comes back.
    """
    lines = tuple(
        (product, back) for (product, _), back in zip(order.lines, quantities, strict=True) if back > 0
    )
    if lines == order.lines:
        return order
    part = sum(product.price * quantity for product, quantity in lines)
    # Rounded up: a part never gives back more than its share of the discount left in the price.
    discount = -(-order.discount * part // order.merchandise)
    tax = order.tax * (part - discount) // order.subtotal
    return Order(lines, discount, 0, tax)
