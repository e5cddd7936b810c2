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

from mercato.shapes import (
    Anything,
    CheckoutStep,
    Coupon,
    Id,
    Order,
    OrderPart,
    Page,
    PaymentFailed,
    ProductList,
    ProductSeen,
    ProductUpdate,
    Promotion,
    Review,
    Search,
    Share,
    Traits,
    Wishlist,
)

VERSION = 1
TYPES = ("track", "identify", "page")

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
