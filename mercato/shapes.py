"""The shapes of what events carry: the properties of track and page, the traits of identify.

Which event has which shape, and what changing one means: mercato/events.py. A property that is "ours" is one
that Segment's spec lacks.
"""

from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

Id = Annotated[str, Meta(min_length=1, max_length=255)]
Text = str | None | UnsetType
# The bounds keep price × quantity in minor units, of three decimals at most, within 64 bits.
Money = Annotated[float, Meta(ge=0, lt=1e9, description="major units, as Segment sends it")]
Quantity = Annotated[int, Meta(ge=1, le=100_000)]
Anything = Raw | UnsetType
Position = int | str | None | UnsetType
Currency = Annotated[str, Meta(pattern="^[A-Za-z]{3}$", description="ISO 4217")]


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

    `reason`: price_changed, restocked, listed or counted. `quantity`: the pieces that a restocking added.
    """

    product_id: Id
    cost: Money | None | UnsetType = UNSET
    inventory_quantity: Annotated[int, Meta(ge=0)] | None | UnsetType = UNSET
    fulfilment_centre: Text = UNSET
    reason: Text = UNSET
