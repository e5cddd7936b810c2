"""The event contract: what an event must be to be loaded, in one place.

Events are Segment calls (https://segment.com/docs/connections/spec/) and the track events of its
e-commerce spec (https://segment.com/docs/connections/spec/ecommerce/v2/). Unknown properties are kept;
a known property of the wrong type, a missing required one or an impossible value is a defect.
Two track events are additions of ours: Payment Failed and Product Updated.

Required here is what the models can't do without; the spec itself requires almost nothing.
Run alone: `python -m mercato.events` prints the JSON Schema, committed as architecture/event_contract.json.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

VERSION = 1
TYPES = ("track", "identify", "page")

Id = Annotated[str, Meta(min_length=1, max_length=255)]
Text = str | None | UnsetType
# The bounds keep price × quantity in minor units, of three decimals at most, within 64 bits.
Money = Annotated[float, Meta(ge=0, lt=1e9, description="major units, as Segment sends it")]
Quantity = Annotated[int, Meta(ge=1, le=100_000)]
Position = int | str | None | UnsetType
Currency = Annotated[str, Meta(pattern="^[A-Za-z]{3}$", description="ISO 4217")]
Moment = Annotated[datetime, Meta(tz=True)]


class Envelope(Struct):
    """The outside of every call. The three nested objects stay as the sender wrote them."""

    messageId: Id
    type: str
    timestamp: Moment
    event: str | None = None
    userId: Id | None = None
    anonymousId: Id | None = None
    sentAt: Moment | None = None
    receivedAt: Moment | None = None
    context: Raw | UnsetType = UNSET
    properties: Raw | UnsetType = UNSET
    traits: Raw | UnsetType = UNSET


class Product(Struct):
    """A product as other events than orders name it."""

    product_id: Id | UnsetType = UNSET
    sku: Text = UNSET
    name: Text = UNSET
    brand: Text = UNSET
    category: Text = UNSET
    variant: Text = UNSET
    price: Money | None | UnsetType = UNSET
    quantity: Quantity | None | UnsetType = UNSET
    coupon: Text = UNSET
    currency: Currency | None | UnsetType = UNSET
    position: Position = UNSET
    value: Money | None | UnsetType = UNSET


class ProductSeen(Product, kw_only=True):
    """Product Viewed, Clicked, Added, Removed: the product must be named."""

    product_id: Id
    cart_id: Text = UNSET


class OrderLine(Product, kw_only=True):
    """A line of an order: product, price of one, how many."""

    product_id: Id
    price: Money
    quantity: Quantity = 1


class ProductList(Struct):
    """Product List Viewed and Filtered, Cart Viewed."""

    list_id: Text = UNSET
    cart_id: Text = UNSET
    category: Text = UNSET
    products: list[Product] | UnsetType = UNSET


class Order(Struct, kw_only=True):
    """Order Completed and Updated. revenue = Σ price × quantity − discount; total adds tax and shipping."""

    order_id: Id
    products: Annotated[list[OrderLine], Meta(min_length=1)]
    currency: Currency | UnsetType = UNSET
    checkout_id: Text = UNSET
    affiliation: Text = UNSET
    total: Money | UnsetType = UNSET
    subtotal: Money | UnsetType = UNSET
    revenue: Money | UnsetType = UNSET
    shipping: Money | UnsetType = UNSET
    tax: Money | UnsetType = UNSET
    discount: Money | UnsetType = UNSET
    coupon: Text = UNSET


class OrderPart(Struct, kw_only=True):
    """Checkout Started, Order Refunded and Cancelled: an order, or a part of it. All of it where no amount is."""

    order_id: Id
    products: list[Product] | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    total: Money | UnsetType = UNSET
    subtotal: Money | UnsetType = UNSET
    revenue: Money | UnsetType = UNSET
    value: Money | UnsetType = UNSET
    shipping: Money | UnsetType = UNSET
    tax: Money | UnsetType = UNSET
    discount: Money | UnsetType = UNSET
    coupon: Text = UNSET


class CheckoutStep(Struct, kw_only=True):
    """Checkout Step Viewed and Completed, Payment Info Entered."""

    checkout_id: Text = UNSET
    order_id: Text = UNSET
    step: int | UnsetType = UNSET
    shipping_method: Text = UNSET
    payment_method: Text = UNSET


class Coupon(Struct):
    """Coupon Entered, Applied, Denied, Removed."""

    order_id: Text = UNSET
    cart_id: Text = UNSET
    coupon_id: Text = UNSET
    coupon_name: Text = UNSET
    discount: Money | UnsetType = UNSET
    reason: Text = UNSET


class Promotion(Struct):
    """Promotion Viewed and Clicked."""

    promotion_id: Text = UNSET
    creative: Text = UNSET
    name: Text = UNSET
    position: Position = UNSET


class Search(Struct, kw_only=True):
    """Products Searched."""

    query: str


class Wishlist(Product, kw_only=True):
    """Product Added to and Removed from Wishlist, Wishlist Product Added to Cart."""

    product_id: Id
    wishlist_id: Text = UNSET
    wishlist_name: Text = UNSET
    cart_id: Text = UNSET


class Share(Struct):
    """Product Shared, Cart Shared."""

    share_via: Text = UNSET
    share_message: Text = UNSET
    recipient: Text = UNSET
    cart_id: Text = UNSET
    products: list[Product] | UnsetType = UNSET


class Review(Struct, kw_only=True):
    """Product Reviewed."""

    product_id: Id
    review_id: Text = UNSET
    review_body: Text = UNSET
    rating: int | float | str | None | UnsetType = UNSET


class PaymentFailed(Struct, kw_only=True):
    """Payment Failed, ours: the spec has no event for it. The customer may try again, with the same order_id."""

    order_id: Id
    checkout_id: Text = UNSET
    payment_method: Text = UNSET
    reason: Text = UNSET


class ProductUpdate(Product, kw_only=True):
    """Product Updated, ours, by the server: list price and cost of one, how many are there, and what changed.

    `reason`: price_changed, restocked or listed. `quantity`: the pieces that a restocking added.
    """

    product_id: Id
    cost: Money | None | UnsetType = UNSET
    inventory_quantity: Annotated[int, Meta(ge=0)] | None | UnsetType = UNSET
    reason: Text = UNSET


#: Events about no customer, which need neither userId nor anonymousId.
WITHOUT_USER = frozenset({"Product Updated"})

#: Each track event and the shape of its properties: those of the spec, and two of ours at the end.
TRACK: dict[str, type[Struct]] = {
    "Products Searched": Search,
    "Product List Viewed": ProductList,
    "Product List Filtered": ProductList,
    "Promotion Viewed": Promotion,
    "Promotion Clicked": Promotion,
    "Product Clicked": ProductSeen,
    "Product Viewed": ProductSeen,
    "Product Added": ProductSeen,
    "Product Removed": ProductSeen,
    "Cart Viewed": ProductList,
    "Checkout Started": OrderPart,
    "Checkout Step Viewed": CheckoutStep,
    "Checkout Step Completed": CheckoutStep,
    "Payment Info Entered": CheckoutStep,
    "Order Completed": Order,
    "Order Updated": Order,
    "Order Refunded": OrderPart,
    "Order Cancelled": OrderPart,
    "Coupon Entered": Coupon,
    "Coupon Applied": Coupon,
    "Coupon Denied": Coupon,
    "Coupon Removed": Coupon,
    "Product Added to Wishlist": Wishlist,
    "Product Removed from Wishlist": Wishlist,
    "Wishlist Product Added to Cart": Wishlist,
    "Product Shared": Share,
    "Cart Shared": Share,
    "Product Reviewed": Review,
    "Payment Failed": PaymentFailed,
    "Product Updated": ProductUpdate,
}


def json_schema() -> dict[str, Any]:
    """The contract as JSON Schema 2020-12: the envelope, and each event's properties by name."""
    shapes = [Envelope, *TRACK.values()]
    schemas, components = msgspec.json.schema_components(dict.fromkeys(shapes), ref_template="#/$defs/{name}")
    by_shape = dict(zip(dict.fromkeys(shapes), schemas, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mercato event contract",
        "version": VERSION,
        **by_shape[Envelope],
        "types": list(TYPES),
        "track": {name: by_shape[shape] for name, shape in TRACK.items()},
        "$defs": components,
    }


if __name__ == "__main__":
    print(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode())
