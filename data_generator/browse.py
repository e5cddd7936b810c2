"""Looking around: home and promotions, search and lists, products, the cart, the wish list, a review."""

from data_generator.catalogue import CATEGORIES, Item
from data_generator.encode import json_text, uuid
from data_generator.visit import Visit

#: Chance of each step, given the one before.
STAY = 0.72  # goes on after the first page
SEARCH = 0.30
FILTER = 0.12
CLICK = 0.30
LOOK = 0.85
LOOK_AT_ANOTHER = 0.30
ADD = 0.092  # of each product viewed, by a person of middling loyalty
REMOVE = 0.10
WISH = 0.02
SHARE = 0.008
ENOUGH = 0.56
BANNER = 0.16
BANNER_CLICKED = 0.25

_HOME = '{"name":"Home","path":"/","url":"https://shop.example/","title":"Home"}'
_SORTS = ("price:asc", "price:desc", "newest", "rating:desc")
_MOST_WISHES = 5


def browse(visit: Visit) -> None:
    """Look around; what is added lies in the visit's cart."""
    rng, shelf = visit.rng, visit.shelf
    banner: int | None = None
    if visit.chance(0.25):  # an advert leads straight to a product
        _look(visit, shelf.favourite(rng))
    else:
        visit.goes("/")
        visit.does("page", _HOME)
        banner = _promotions(visit)
    if visit.user_id:
        _returns(visit)
    if banner is None and not visit.chance(STAY):
        return
    while True:
        if banner is None and visit.chance(SEARCH):
            item = shelf.favourite(rng)
            visit.goes("/search")
            visit.does("Products Searched", f'{{"query":{json_text(item.product.name.lower())}}}')
            source = "search"
        else:
            category = int(rng.random() * len(CATEGORIES)) if banner is None else banner
            banner = None
            source = f"category-{category:02d}"
            visit.goes(f"/c/{category:02d}")
            visit.does("Product List Viewed", shelf.listing(category))
            if visit.chance(FILTER):
                order = _SORTS[int(rng.random() * len(_SORTS))]
                sorts = f'"sorts":[{{"type":"{order[:5]}","value":"{order}"}}]'
                visit.does("Product List Filtered", f"{{{sorts},{shelf.listing(category)[1:]}")
            item = shelf.in_category(category, rng)
        if visit.chance(LOOK):
            if visit.chance(CLICK):
                visit.does("Product Clicked", f'{item.seen[:-1]},"list_id":"{source}"}}')
            _look(visit, item)
        if visit.chance(LOOK_AT_ANOTHER):
            _look(visit, shelf.favourite(rng))
        if visit.chance(ENOUGH):
            return


def glance(visit: Visit) -> None:
    """What goes on in a second tab: products are looked at, nothing else."""
    for _ in range(1 + int(visit.rng.random() * 4)):
        item = visit.shelf.favourite(visit.rng)
        visit.goes(f"/p/{item.product.product_id}")
        visit.does("Product Viewed", item.seen)


def _promotions(visit: Visit) -> int | None:
    """Banners on the home page; returns the category of the one that was clicked."""
    if not visit.chance(BANNER):
        return None
    for promotion in visit.shop.world.catalogue.promotions(visit.day):
        visit.does("Promotion Viewed", promotion.body)
        if visit.chance(BANNER_CLICKED):
            visit.does("Promotion Clicked", promotion.body)
            return promotion.category
    return None


def _look(visit: Visit, item: Item) -> None:
    """View a product, and perhaps put it into the cart, and perhaps take it out again."""
    rng, cart, product = visit.rng, visit.cart, item.product
    visit.goes(f"/p/{product.product_id}")
    left = visit.shop.stock.level[product.number] - cart.get(item, 0)
    if left <= 0:
        visit.does("Product Viewed", f'{item.seen[:-1]},"availability":"out_of_stock"}}')
        return
    visit.does("Product Viewed", item.seen)
    draw = rng.random()
    if draw < SHARE:
        via = ("email", "whatsapp", "copy")[int(rng.random() * 3)]
        visit.does("Product Shared", f'{{"share_via":"{via}","products":[{item.seen}]}}')
    elif draw < SHARE + WISH and visit.user_id and not visit.person.guest:
        _wish(visit, item)
    if rng.random() < ADD * visit.eagerness:
        quantity = min(left, (1, 1, 1, 1, 1, 1, 1, 2, 2, 3)[int(rng.random() * 10)])
        _add(visit, item, quantity)


def _add(visit: Visit, item: Item, quantity: int) -> None:
    cart = visit.cart
    body = f'{{"cart_id":"{visit.prefix}",{item.seen[1:-1]},"quantity":'
    visit.does("Product Added", f"{body}{quantity}}}")
    cart[item] = cart.get(item, 0) + quantity
    if visit.chance(REMOVE):
        visit.does("Product Removed", f"{body}{cart.pop(item)}}}")


def _wish(visit: Visit, item: Item) -> None:
    wishes, person = visit.shop.memory.wishes, visit.person.number
    so_far = wishes.get(person, ())
    if item.product.number not in so_far and len(so_far) < _MOST_WISHES:
        wishes[person] = (*so_far, item.product.number)
        visit.does("Product Added to Wishlist", f'{{"wishlist_id":"w-{visit.person.user_id}",{item.seen[1:]}')


def _returns(visit: Visit) -> None:
    """What only a customer does: review what was bought, tidy the wish list."""
    memory, person, rng = visit.shop.memory, visit.person.number, visit.rng
    if person in memory.unreviewed and visit.chance(0.12):
        product = visit.shelf.items[memory.unreviewed.pop(person)].product
        rating = (5, 5, 5, 4, 4, 4, 3, 2, 1)[int(rng.random() * 9)]
        visit.goes(f"/p/{product.product_id}")
        visit.does(
            "Product Reviewed",
            f'{{"product_id":"{product.product_id}","review_id":"{uuid(rng)}","rating":{rating}}}',
        )
    wishes = memory.wishes.get(person)
    if not wishes or not visit.chance(0.3):
        return
    item = visit.shelf.items[wishes[0]]
    memory.wishes[person] = wishes[1:]
    visit.goes("/wishlist")
    body = f'{{"wishlist_id":"w-{visit.person.user_id}",{item.seen[1:]}'
    there = visit.cart.get(item, 0)
    if visit.chance(0.5) and visit.shop.stock.level[item.product.number] > there:
        visit.does("Wishlist Product Added to Cart", f'{{"cart_id":"{visit.prefix}",{body[1:]}')
        visit.cart[item] = there + 1
    else:
        visit.does("Product Removed from Wishlist", body)
