"""What is sold: products, their prices day by day and currency by currency, and promotions.

All of it is derived from the seed and the date, so that every shard and process sees the same shop without
a word between them, and the length of the history changes nothing.
"""

from bisect import bisect
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import NamedTuple

from faker import Faker

from data_generator import seasonality
from data_generator.encode import json_text, members, money
from data_generator.markets import in_currency

#: Category, typical price in euro cents, what is sold in it.
CATEGORIES = (
    ("Kitchen", 2_400, ("Pan", "Knife", "Kettle", "Cutting Board", "Teapot")),
    ("Lighting", 4_500, ("Desk Lamp", "Floor Lamp", "Pendant", "Lantern")),
    ("Furniture", 14_000, ("Chair", "Side Table", "Shelf", "Stool", "Bench")),
    ("Textiles", 2_900, ("Throw", "Cushion", "Curtain", "Towel", "Bed Linen")),
    ("Garden", 3_300, ("Planter", "Watering Can", "Bird House", "Trowel")),
    ("Office", 1_500, ("Notebook", "Pen", "Desk Tray", "Stapler")),
    ("Bags", 5_600, ("Backpack", "Tote", "Duffel", "Wallet")),
    ("Audio", 7_900, ("Headphones", "Speaker", "Earbuds", "Turntable")),
    ("Toys", 1_900, ("Puzzle", "Blocks", "Kite", "Board Game")),
    ("Beauty", 1_700, ("Soap", "Hand Cream", "Candle", "Bath Salt")),
)
_PER_CATEGORY = 24
_MATERIALS = ("Oak", "Linen", "Steel", "Copper", "Wool", "Glass", "Bamboo", "Cork", "Marble", "Cotton")
#: Days that a round of promotions lasts, at most.
_ROUND = 14
#: Every tenth product, by its number: those that a price slip hits.
SLIPPING = 10
_MOST_ITEMS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A product; `price` and `cost` in euro cents, without changes of price; `members`: JSON without price.

    `season`: the days of the year, counted from 0, on which it is first and last listed.
    """

    number: int
    product_id: str
    name: str
    category: int
    price: int
    cost: int
    season: tuple[int, int]
    members: str


class Item(NamedTuple):
    """A product as one visitor sees it: price in minor units of a currency; JSON members, and a whole object."""

    product: Product
    price: int
    members: str
    seen: str


class Promotion(NamedTuple):
    """`percent` off a category on some days; `body` is what is shown of it."""

    category: int
    percent: int
    first: int
    last: int
    body: str


class Shelf:
    """The shop of one day in one currency."""

    def __init__(
        self, currency: str, items: tuple[Item, ...], popularity: list[float], listed: list[list[int]]
    ) -> None:
        self._currency = currency
        self.items = items
        self._popularity = popularity
        self.listed = listed
        self._listings: dict[int, str] = {}

    def favourite(self, rng: Random) -> Item:
        """A listed product by popularity: a few sell most."""
        so_far = self._popularity
        return self.items[bisect(so_far, rng.random() * so_far[-1], hi=len(so_far) - 1)]

    def in_category(self, category: int, rng: Random) -> Item:
        """A listed product of a category, the first ones more often."""
        numbers = self.listed[category]
        return self.items[numbers[int(rng.random() ** 2 * len(numbers))]]

    def listing(self, category: int) -> str:
        """The body of the event that lists the category."""
        found = self._listings.get(category)
        if found is None:
            shown = ",".join(
                f'{{{self.items[number].members},"position":{at}}}'
                for at, number in enumerate(self.listed[category][:4], 1)
            )
            name = json_text(CATEGORIES[category][0])
            found = (
                f'{{"list_id":"category-{category:02d}","category":{name},"currency":"{self._currency}",'
                f'"products":[{shown}]}}'
            )
            self._listings[category] = found
        return found


class Catalogue:
    """The products of a seed, and the shelf of each day."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.products = _products(seed)
        ranks = list(range(len(self.products)))
        Random(f"{seed}/popularity").shuffle(ranks)  # noqa: S311 -- a simulation, to be repeated
        #: Relative demand for each product.
        self.demand = tuple(1 / (rank + 5) for rank in ranks)
        self._items: dict[tuple[int, int, str], Item] = {}
        self.shelf = lru_cache(maxsize=32)(self._shelf)
        self.promotions = lru_cache(maxsize=8)(self._promotions)
        self._bases = lru_cache(maxsize=4)(self._prices_of)
        self._year = lru_cache(maxsize=4)(self._changes)

    def _shelf(self, day: int, currency: str, slip: float = 1.0) -> Shelf:
        """What is listed on a day, at the day's prices; `slip` is a factor on one price in ten."""
        items = tuple(
            self._item(product, base, currency, slip)
            for product, base in zip(self.products, self._bases(day), strict=True)
        )
        of_year = _day_of_year(day)
        listed: list[list[int]] = [[] for _ in CATEGORIES]
        weights = []
        for product, weight in zip(self.products, self.demand, strict=True):
            first, last = product.season
            there = first <= of_year <= last
            weights.append(weight if there else 0.0)
            if there:
                listed[product.category].append(product.number)
        return Shelf(currency, items, list(accumulate(weights)), listed)

    def _item(self, product: Product, base: int, currency: str, slip: float) -> Item:
        price = in_currency(base, currency)
        if slip != 1.0 and product.number % SLIPPING == 0:
            price = max(1, int(price * slip))
        key = (product.number, price, currency)
        found = self._items.get(key)
        if found is None:
            if len(self._items) >= _MOST_ITEMS:
                self._items.clear()
            text = f'{product.members},"price":{money(price, currency)}'
            found = Item(product, price, text, f'{{{text},"currency":"{currency}"}}')
            self._items[key] = found
        return found

    def price(self, number: int, day: int) -> int:
        """List price of a product on a day, in euro cents."""
        changes = self._year(datetime.fromtimestamp(day * 86_400, UTC).year)[number]
        return changes[bisect(changes, (day, 1 << 60)) - 1][1]

    def _prices_of(self, day: int) -> list[int]:
        off = {promotion.category: promotion.percent for promotion in self.promotions(day)}
        return [
            self.price(product.number, day) * (100 - off.get(product.category, 0)) // 100
            for product in self.products
        ]

    def _changes(self, year: int) -> list[list[tuple[int, int]]]:
        """Of each product, (day, new price) through a year, beginning with the last of the year before."""
        found = []
        before, this = self._drawn(year - 1), self._drawn(year)
        for last, now in zip(before, this, strict=True):
            found.append([(0, last[-1][1]), *now])
        return found

    def _drawn(self, year: int) -> list[list[tuple[int, int]]]:
        rng = Random(f"{self._seed}/prices/{year}")  # noqa: S311
        first = int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) // 86_400
        drawn = []
        for product in self.products:
            days = sorted(rng.sample(range(365), rng.choice((1, 2, 3))))
            drawn.append(
                [(first + day, max(150, product.price * rng.randint(85, 118) // 500 * 5)) for day in days]
            )
        return drawn

    def repriced(self, day: int) -> list[int]:
        """Numbers of the products whose list price changes on a day."""
        return [
            product.number
            for product in self.products
            if self.price(product.number, day) != self.price(product.number, day - 1)
        ]

    def newly_listed(self, day: int) -> list[int]:
        """Numbers of the products whose season begins on a day."""
        of_year = _day_of_year(day)
        return [product.number for product in self.products if product.season[0] == of_year > 0]

    def _promotions(self, day: int) -> tuple[Promotion, ...]:
        """What is on offer on a day: none, one or two categories; in the Black Friday week five of them."""
        number = day // _ROUND
        rng = Random(f"{self._seed}/promotions/{number}")  # noqa: S311
        found = []
        for place, category in enumerate(rng.sample(range(len(CATEGORIES)), 2), 1):
            first = number * _ROUND + rng.randint(0, 6)
            last = first + rng.randint(2, 7)
            found.append(
                _promotion(f"promo-{number}-{place}", category, rng.choice((10, 15, 20)), first, last, place)
            )
        friday = seasonality.black_friday(day)
        if friday - 4 <= day <= friday + 3:
            rng = Random(f"{self._seed}/promotions/black-friday/{friday}")  # noqa: S311
            found = [
                _promotion(f"black-friday-{place}", category, 25, friday - 4, friday + 3, place)
                for place, category in enumerate(rng.sample(range(len(CATEGORIES)), 5), 1)
            ]
        return tuple(promotion for promotion in found if promotion.first <= day <= promotion.last)


def _promotion(
    promotion_id: str, category: int, percent: int, first: int, last: int, position: int
) -> Promotion:
    name = CATEGORIES[category][0]
    shown = {
        "promotion_id": promotion_id,
        "creative": f"{name.lower()}-banner",
        "name": f"{percent} % off {name}",
        "position": f"home-{position}",
    }
    return Promotion(category, percent, first, last, json_text(shown))


def _products(seed: int) -> tuple[Product, ...]:
    rng = Random(f"{seed}/world")  # noqa: S311
    words = Faker("en_US", providers=["faker.providers.person"])
    words.seed_instance(seed)
    brands = [words.last_name() for _ in range(30)]
    products: list[Product] = []
    for category, (label, typical, nouns) in enumerate(CATEGORIES):
        own = rng.sample(brands, 6)
        for item in range(_PER_CATEGORY):
            price = max(
                190, int(typical * rng.lognormvariate(0, 0.5)) // 100 * 100 + rng.choice((-10, -5, -1, 50))
            )
            name = f"{rng.choice(_MATERIALS)} {rng.choice(nouns)}"
            code = f"{category:02d}{item:03d}"
            plain = {"product_id": f"p-{code}", "sku": f"SKU-{code}", "name": name}
            plain |= {"brand": rng.choice(own), "category": label}
            cost = price * rng.randint(42, 68) // 100
            # One product in eight comes and goes with its season; never the first ones, so that none is empty.
            season = (rng.randint(20, 200), rng.randint(240, 345)) if item % 8 == 7 else (0, 366)
            products.append(
                Product(len(products), f"p-{code}", name, category, price, cost, season, members(plain))
            )
    return tuple(products)


@lru_cache(maxsize=64)
def _day_of_year(day: int) -> int:
    return datetime.fromtimestamp(day * 86_400, UTC).timetuple().tm_yday - 1
