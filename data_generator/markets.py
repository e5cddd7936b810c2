"""Where the customers live: countries with their currency, tax, locale, cities and time zones. Pure tables."""

from typing import NamedTuple

from data_generator.encode import members


class City(NamedTuple):
    """A city; `context` is the JSON members that a device there sends with each event."""

    name: str
    zone: str
    context: str


class Market(NamedTuple):
    """A country. `tax` in permille of the merchandise; fees in minor units; `share` of the people in percent.

    `cities`: largest first.
    """

    code: str
    locale: str
    currency: str
    tax: int
    share: int
    cities: tuple[City, ...]


class Delivery(NamedTuple):
    """What delivery costs, in minor units of a currency; standard is free from `free_from` on."""

    standard: int
    express: int
    free_from: int


#: Worth of a euro, in hundredths of a minor unit; and prices are whole steps less a little: 12.99, 129, 1280.
RATES = {
    "EUR": (100, 0, 0),
    "GBP": (86, 100, 1),
    "CHF": (96, 50, 5),
    "PLN": (430, 100, 1),
    "SEK": (1_120, 1_000, 100),
    "USD": (108, 100, 1),
    "JPY": (163, 100, 20),  # of a yen: it has no smaller unit
}
CURRENCIES = tuple(RATES)

DELIVERY = {
    "EUR": Delivery(490, 990, 5_000),
    "GBP": Delivery(399, 799, 4_500),
    "CHF": Delivery(790, 1_490, 6_000),
    "PLN": Delivery(1_490, 2_490, 20_000),
    "SEK": Delivery(4_900, 9_900, 50_000),
    "USD": Delivery(595, 1_295, 5_000),
    "JPY": Delivery(550, 1_100, 6_000),
}

# The lists are ours. Faker's Italian cities, for one, come out of a set, in another order each run.
_NEW_YORK, _CHICAGO = "America/New_York", "America/Chicago"
_LOS_ANGELES, _DENVER = "America/Los_Angeles", "America/Denver"
_AMERICAN = {
    "New York": _NEW_YORK,
    "Los Angeles": _LOS_ANGELES,
    "Chicago": _CHICAGO,
    "Houston": _CHICAGO,
    "Philadelphia": _NEW_YORK,
    "Seattle": _LOS_ANGELES,
    "Boston": _NEW_YORK,
    "Denver": _DENVER,
}
_TABLE = (
    (
        "DE",
        "de-DE",
        "EUR",
        190,
        24,
        "Europe/Berlin",
        "Berlin Hamburg München Köln Frankfurt Stuttgart Leipzig",
    ),
    ("FR", "fr-FR", "EUR", 200, 15, "Europe/Paris", "Paris Marseille Lyon Toulouse Nice Nantes Bordeaux"),
    ("IT", "it-IT", "EUR", 220, 10, "Europe/Rome", "Roma Milano Napoli Torino Palermo Genova Bologna"),
    ("ES", "es-ES", "EUR", 210, 8, "Europe/Madrid", "Madrid Barcelona València Sevilla Zaragoza Málaga"),
    ("NL", "nl-NL", "EUR", 210, 5, "Europe/Amsterdam", "Amsterdam Rotterdam Utrecht Eindhoven Groningen"),
    ("AT", "de-AT", "EUR", 200, 4, "Europe/Vienna", "Wien Graz Linz Salzburg Innsbruck"),
    ("GB", "en-GB", "GBP", 200, 10, "Europe/London", "London Birmingham Manchester Glasgow Leeds Bristol"),
    ("CH", "de-CH", "CHF", 81, 3, "Europe/Zurich", "Zürich Basel Bern Winterthur Luzern"),
    ("PL", "pl-PL", "PLN", 230, 5, "Europe/Warsaw", "Warszawa Kraków Łódź Wrocław Poznań Gdańsk"),
    ("SE", "sv-SE", "SEK", 250, 4, "Europe/Stockholm", "Stockholm Göteborg Malmö Uppsala Västerås"),
    ("US", "en-US", "USD", 70, 8, "", ""),
    ("JP", "ja-JP", "JPY", 100, 4, "Asia/Tokyo", "Tokyo Yokohama Osaka Nagoya Sapporo Fukuoka"),
)


def _city(country: str, locale: str, name: str, zone: str) -> City:
    context = {
        "library": {"name": "analytics.js", "version": "2.11.1"},
        "locale": locale,
        "timezone": zone,
        "location": {"country": country, "city": name},
    }
    return City(name, zone, members(context))


def _market(code: str, locale: str, currency: str, tax: int, share: int, zone: str, names: str) -> Market:
    cities = dict.fromkeys(names.split(), zone) if zone else _AMERICAN
    places = tuple(_city(code, locale, name, where) for name, where in cities.items())
    return Market(code, locale, currency, tax, share, places)


MARKETS = tuple(_market(*row) for row in _TABLE)


def in_currency(euro_minor: int, currency: str) -> int:
    """The price list: a price in euro cents as a round price of `currency`, in its minor units."""
    rate, step, less = RATES[currency]
    if not step:
        return euro_minor
    return max(1, (euro_minor * rate + 50 * step) // (100 * step)) * step - less
