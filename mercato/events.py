"""The event contract: what an event must be to be loaded, in one place.

Events are Segment calls (https://segment.com/docs/connections/spec/): `track` with the events of its
e-commerce spec (https://segment.com/docs/connections/spec/ecommerce/v2/) and every property documented
there, `page` and `identify`. Unknown properties are kept and reported as drift (ingestion/drift.py); a known
property of the wrong type, a missing required one or an impossible value is a defect. Two track events are
additions of ours: Payment Failed and Product Updated. A property is marked "ours" where the spec lacks it.

Required here is what the models can't do without; the spec itself requires almost nothing.

Segment's `screen`, `group` and `alias` calls are not in it, as no other name of a track event is: no model
reads them, and what makes them what they are (`groupId`, `previousId`) has no column, so loading them would
lose it in silence. In quarantine, as unknown_event, they keep every byte until a contract knows them.

Versions. An additive change keeps VERSION: a new event, a new optional property, a wider type, a looser bound.
Before a drifting property is adopted, `ops.schema_drift` tells the types in which it comes. A breaking change
raises VERSION: a property removed or narrowed, newly required, an event removed. What was accepted under one
version stays accepted while it is in force; a rejected record keeps the version that refused it. A test holds
both rules against tests/fixtures/contract_promises.json.

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
Anything = Raw | UnsetType
Position = int | str | None | UnsetType
Currency = Annotated[str, Meta(pattern="^[A-Za-z]{3}$", description="ISO 4217")]
Moment = Annotated[datetime, Meta(tz=True)]


class Envelope(Struct, gc=False):
    """The outside of every call, as it is kept. The three nested objects stay as the sender wrote them."""

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


class Call(Envelope):
    """The envelope as it comes: these are notes between collectors, known but not kept, whatever they hold.

    Segment's common fields, and those that RudderStack and Jitsu add. `name` of a page is kept: see decode.
    """

    name: Anything = UNSET
    originalTimestamp: Anything = UNSET
    integrations: Anything = UNSET
    channel: Anything = UNSET
    version: Anything = UNSET
    projectId: Anything = UNSET
    writeKey: Anything = UNSET
    rudderId: Anything = UNSET
    request_ip: Anything = UNSET
    requestIp: Anything = UNSET
    metadata: Anything = msgspec.field(name="_metadata", default=UNSET)


class Address(Struct):
    """An address, of a customer or of a delivery."""

    street: Text = UNSET
    city: Text = UNSET
    state: Text = UNSET
    postalCode: Text = UNSET
    country: Text = UNSET


class Page(Struct):
    """page."""

    name: Text = UNSET
    path: Text = UNSET
    url: Text = UNSET
    title: Text = UNSET
    referrer: Text = UNSET
    search: Text = UNSET
    keywords: list[str] | str | None | UnsetType = UNSET
    category: Text = UNSET


class Traits(Struct):
    """identify: who a customer is. Senders are careless here, so what no model reads may be anything."""

    email: Text = UNSET
    name: Text = UNSET
    firstName: Text = UNSET
    lastName: Text = UNSET
    address: Address | str | None | UnsetType = UNSET
    city: Text = UNSET  # ours, as country
    country: Text = UNSET
    guest: bool | None | UnsetType = UNSET  # ours: ordered without an account
    createdAt: Anything = UNSET
    phone: Anything = UNSET
    id: Anything = UNSET
    username: Anything = UNSET
    age: Anything = UNSET
    birthday: Anything = UNSET
    gender: Anything = UNSET
    title: Anything = UNSET
    company: Anything = UNSET
    avatar: Anything = UNSET
    description: Anything = UNSET
    website: Anything = UNSET


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
    url: Text = UNSET
    image_url: Text = UNSET


class ProductSeen(Product, kw_only=True):
    """Product Viewed, Clicked, Added, Removed: the product must be named."""

    product_id: Id
    cart_id: Text = UNSET
    list_id: Text = UNSET  # ours: the list where it was clicked
    availability: Text = UNSET  # ours: out_of_stock


class Choice(Struct):
    """A filter or an order of a product list."""

    type: Text = UNSET
    value: str | int | float | bool | None | UnsetType = UNSET


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
    filters: list[Choice] | None | UnsetType = UNSET
    sorts: list[Choice] | None | UnsetType = UNSET
    currency: Currency | None | UnsetType = UNSET  # ours
    products: list[Product] | UnsetType = UNSET


class Delivery(Struct):
    """Ours: when an order will arrive."""

    status: Text = UNSET
    expected: Text = UNSET


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
    fulfilment_centre: Text = UNSET  # ours, as the next two
    shipping_address: Address | None | UnsetType = UNSET
    delivery: Delivery | None | UnsetType = UNSET


class OrderPart(Struct, kw_only=True):
    """Checkout Started, Order Refunded and Cancelled: an order, or a part of it. All of it where no amount is."""

    order_id: Id
    products: list[Product] | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    checkout_id: Text = UNSET
    affiliation: Text = UNSET
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
    currency: Currency | None | UnsetType = UNSET  # ours
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

    query: str | dict[str, Raw]


class Wishlist(Product, kw_only=True):
    """Product Added to and Removed from Wishlist, Wishlist Product Added to Cart."""

    product_id: Id
    wishlist_id: Text = UNSET
    wishlist_name: Text = UNSET
    cart_id: Text = UNSET


class Share(Product, kw_only=True):
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
    fulfilment_centre: Text = UNSET
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
    shapes = [Call, Page, Traits, *TRACK.values()]
    schemas, components = msgspec.json.schema_components(dict.fromkeys(shapes), ref_template="#/$defs/{name}")
    by_shape = dict(zip(dict.fromkeys(shapes), schemas, strict=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mercato event contract",
        "version": VERSION,
        **by_shape[Call],
        "types": list(TYPES),
        "page": by_shape[Page],
        "identify": by_shape[Traits],
        "track": {name: by_shape[shape] for name, shape in TRACK.items()},
        "$defs": components,
    }


if __name__ == "__main__":
    print(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode())
