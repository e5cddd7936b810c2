"""Who and what there is: products, their categories and brands, and the people who visit.

Everything is drawn once from the seed, with Faker only for pools of words, so that an event costs no Faker
call. Each thing carries its JSON pieces, encoded once. The number of days changes nothing here.
"""

import unicodedata
from bisect import bisect
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from random import Random

from faker import Faker

from data_generator.encode import json_text, members, money, uuid

CURRENCY = "EUR"

#: Code, Faker's locale, time zone, value added tax in permille, share of the people in percent.
COUNTRIES = (
    ("DE", "de_DE", "Europe/Berlin", 190, 30),
    ("FR", "fr_FR", "Europe/Paris", 200, 24),
    ("IT", "it_IT", "Europe/Rome", 220, 18),
    ("ES", "es_ES", "Europe/Madrid", 210, 15),
    ("NL", "nl_NL", "Europe/Amsterdam", 210, 8),
    ("AT", "de_AT", "Europe/Vienna", 200, 5),
)

#: Cities by country, largest first. Not Faker's: its Italian ones come out of a set, in another order each run.
CITIES = {
    "DE": ("Berlin", "Hamburg", "München", "Köln", "Frankfurt", "Stuttgart", "Leipzig", "Bremen"),
    "FR": ("Paris", "Marseille", "Lyon", "Toulouse", "Nice", "Nantes", "Bordeaux", "Lille"),
    "IT": ("Roma", "Milano", "Napoli", "Torino", "Palermo", "Genova", "Bologna", "Firenze"),
    "ES": ("Madrid", "Barcelona", "València", "Sevilla", "Zaragoza", "Málaga", "Bilbao"),
    "NL": ("Amsterdam", "Rotterdam", "Den Haag", "Utrecht", "Eindhoven", "Groningen"),
    "AT": ("Wien", "Graz", "Linz", "Salzburg", "Innsbruck"),
}

#: Category, typical price in minor units, what is sold in it.
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
_DEVICES = ("desktop", "mobile", "mobile", "tablet")


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A product: price in minor units; `members` is its JSON without braces. Equal only to itself."""

    product_id: str
    name: str
    category: str
    price: int
    members: str


@dataclass(frozen=True, slots=True)
class Category:
    """A category, its products, and the body of the event that lists them."""

    name: str
    products: tuple[Product, ...]
    listing: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person with one device. `unknown` and `known`: the sender's JSON members before and after login."""

    index: int
    anonymous_id: str
    user_id: str
    country: str
    tax_permille: int
    unknown: str
    known: str
    traits: str
    context: str


@dataclass(frozen=True, slots=True)
class World:
    """The shop and its people."""

    products: tuple[Product, ...]
    popularity: tuple[float, ...]
    categories: tuple[Category, ...]
    people: tuple[Person, ...]

    def favourite(self, rng: Random) -> Product:
        """A product by popularity: a few sell most."""
        return self.products[
            bisect(self.popularity, rng.random() * self.popularity[-1], hi=len(self.products) - 1)
        ]


def build(seed: int, people: int) -> World:
    """The world of a seed with so many people."""
    rng = Random(f"{seed}/world")  # noqa: S311 -- a simulation, to be repeated
    categories = _categories(seed, rng)
    products = [product for category in categories for product in category.products]
    rng.shuffle(products)
    popularity = tuple(accumulate(1 / (rank + 8) for rank in range(len(products))))
    return World(tuple(products), popularity, categories, _people(seed, people))


def _categories(seed: int, rng: Random) -> tuple[Category, ...]:
    words = Faker("en_US")
    words.seed_instance(seed)
    brands = [words.last_name() for _ in range(30)]
    categories = []
    for number, (name, typical, nouns) in enumerate(CATEGORIES):
        own_brands = rng.sample(brands, 6)
        products = []
        for item in range(_PER_CATEGORY):
            product_id = f"p-{number:02d}{item:03d}"
            price = max(
                190, int(typical * rng.lognormvariate(0, 0.5)) // 100 * 100 + rng.choice((-10, -5, -1, 50))
            )
            title = f"{rng.choice(_MATERIALS)} {rng.choice(nouns)}"
            plain = {"product_id": product_id, "sku": f"SKU-{number:02d}{item:03d}", "name": title}
            plain |= {"brand": rng.choice(own_brands), "category": name}
            fragment = f'{members(plain)},"price":{money(price)}'
            products.append(Product(product_id, title, name, price, fragment))
        shown = ",".join(
            f'{{{product.members},"position":{at}}}' for at, product in enumerate(products[:4], 1)
        )
        listing = f'{{"list_id":"category-{number:02d}","category":{json_text(name)},"products":[{shown}]}}'
        categories.append(Category(name, tuple(products), listing))
    return tuple(categories)


@lru_cache(maxsize=8)
def _pools(seed: int) -> tuple[tuple[list[str], list[str]], ...]:
    """First and last names of each country."""
    pools = []
    for _, locale, *_ in COUNTRIES:
        fake = Faker(locale)
        fake.seed_instance(seed)
        pools.append(([fake.first_name() for _ in range(80)], [fake.last_name() for _ in range(120)]))
    return tuple(pools)


def _people(seed: int, count: int) -> tuple[Person, ...]:
    rng = Random(f"{seed}/people")  # noqa: S311 -- a simulation, to be repeated
    pools = _pools(seed)
    shares = tuple(accumulate(country[4] for country in COUNTRIES))
    return tuple(
        _person(rng, index, bisect(shares, rng.random() * shares[-1]), pools) for index in range(count)
    )


def _person(rng: Random, index: int, country: int, pools: tuple[tuple[list[str], list[str]], ...]) -> Person:
    code, locale, zone, tax, _ = COUNTRIES[country]
    firsts, lasts = pools[country]
    first, last = rng.choice(firsts), rng.choice(lasts)
    anonymous_id, user_id = uuid(rng), f"u-{rng.getrandbits(48):012x}{index:06d}"
    city = CITIES[code][int(rng.random() ** 2 * len(CITIES[code]))]
    # example.com is reserved: nobody's mailbox.
    address = f"{_plain(first)}.{_plain(last)}.{index}@example.com"
    traits = {"name": f"{first} {last}", "email": address, "country": code, "city": city}
    context = {
        "library": {"name": "analytics.js", "version": "2.11.1"},
        "locale": locale.replace("_", "-"),
        "timezone": zone,
        "device": {"type": rng.choice(_DEVICES)},
    }
    unknown = f'"anonymousId":"{anonymous_id}",'
    known = f'"userId":"{user_id}",{unknown}'
    return Person(
        index, anonymous_id, user_id, code, tax, unknown, known, json_text(traits), members(context)
    )


def _plain(name: str) -> str:
    """Lower-case ASCII letters of a name, for an address."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in letters if letter.isalnum()) or "x"
