"""Who visits. A person is drawn from the seed and a number when needed, so that a million of them cost nothing.

Faker is used for pools of names only, filled once. Chance comes from a hash of (seed, number), which is the
same in every process and far cheaper than a generator of random numbers for each person.
"""

import unicodedata
from bisect import bisect
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import NamedTuple

from faker import Faker

from data_generator.encode import members
from data_generator.markets import MARKETS, City, Market

#: Type of a device and its user agent.
_AGENTS = (
    ("mobile", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"),
    (
        "mobile",
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36",
    ),
    ("desktop", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36"),
    (
        "desktop",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_2) AppleWebKit/605.1.15 Version/18.2 Safari/605.1.15",
    ),
    (
        "tablet",
        "Mozilla/5.0 (iPad; CPU OS 18_2 like Mac OS X) AppleWebKit/605.1.15 Version/18.2 Safari/605.1.15",
    ),
)
_AGENT_MEMBERS = tuple(members({"device": {"type": kind}, "userAgent": agent}) for kind, agent in _AGENTS)
_MOBILE, _DESKTOP = 2, 4  # the first so many are mobile; the ones up to here are mobile or desktop
_SHARES = tuple(accumulate(market.share for market in MARKETS))
_CACHED = 4_096
#: Days after which somebody else has taken a person's place. Browsers keep a cookie no longer than 400 days.
_STAY = 365


class Device(NamedTuple):
    """A browser: its anonymousId and the JSON members of the context that tell what it is."""

    anonymous_id: str
    context: str


class Person(NamedTuple):
    """A person. `loyalty` 0 to 1; `guest`: never has an account; `acquired`: 0 to 1, draws the first channel."""

    number: int
    user_id: str
    market: Market
    city: City
    devices: tuple[Device, ...]
    guest: bool
    loyalty: float
    acquired: float


class People:
    """The people of a seed, `count` at a time; those met lately are kept."""

    def __init__(self, seed: int, count: int) -> None:
        self.count = count
        self._key = f"{seed}/people".encode()[:64]
        self._names = _names(seed)
        self.person = lru_cache(maxsize=_CACHED)(self._draw)

    def at(self, place: int, day: int) -> int:
        """Number of the person who has this place, 0 up to the count, on a day of the shop, 0 for its first.

        The first ones stay for one to two years, all others for one: each place has a day of its own on which
        they go. So a person's visits end, however old the shop gets.
        """
        return place + self.count * max(0, (day - place % _STAY) // _STAY)

    def stays(self, number: int, day: int) -> bool:
        """Whether this person, who was here before, still visits on a day of the shop."""
        return self.at(number % self.count, day) == number

    def _draw(self, index: int) -> Person:
        """The person with this number, 0 or more."""
        chance = blake2b(b"%d" % index, digest_size=64, key=self._key).digest()
        market = MARKETS[bisect(_SHARES, _share(chance, 0) * _SHARES[-1])]
        cities = market.cities
        city = cities[int(_share(chance, 2) ** 2 * len(cities))]
        kinds = (chance[4] % _DESKTOP, chance[5] % len(_AGENTS), chance[6] % _MOBILE)
        many = 1 if chance[7] < 150 else 2 if chance[7] < 235 else 3
        devices = tuple(
            Device(_uuid(chance[16 + 16 * at : 32 + 16 * at]), _AGENT_MEMBERS[kinds[at]])
            for at in range(many)
        )
        return Person(
            index,
            f"u-{chance[8:13].hex()}{index:06d}",
            market,
            city,
            devices,
            chance[13] < 64,
            (chance[14] / 256) ** 2,
            chance[15] / 256,
        )

    def traits(self, person: Person) -> str:
        """What an identify call says of a person, as JSON members."""
        chance = blake2b(b"traits/%d" % person.number, digest_size=4, key=self._key).digest()
        firsts, lasts = self._names[person.market.code]
        first = firsts[int(_share(chance, 0) * len(firsts))]
        last = lasts[int(_share(chance, 2) * len(lasts))]
        # example.com is reserved: nobody's mailbox.
        address = f"{_plain(first)}.{_plain(last)}.{person.number}@example.com"
        return members(
            {
                "name": f"{first} {last}",
                "email": address,
                "country": person.market.code,
                "city": person.city.name,
            }
        )


def _share(chance: bytes, at: int) -> float:
    """Two bytes as a number from 0 to below 1."""
    return (chance[at] << 8 | chance[at + 1]) / 65_536


def _uuid(chance: bytes) -> str:
    digits = chance.hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


@lru_cache(maxsize=8)
def _names(seed: int) -> dict[str, tuple[list[str], list[str]]]:
    """First and last names by country."""
    pools = {}
    for market in MARKETS:
        fake = Faker(market.locale.replace("-", "_"), providers=["faker.providers.person"])
        fake.seed_instance(seed)
        pools[market.code] = (
            [fake.first_name() for _ in range(80)],
            [fake.last_name() for _ in range(120)],
        )
    return pools


def _plain(name: str) -> str:
    """Lower-case ASCII letters of a name, for an address."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in letters if letter.isalnum()) or "x"
