"""One visit: who is there, on which device, at what time, and the events so far."""

from random import Random

from data_generator.campaigns import Arrival
from data_generator.catalogue import Item, Shelf
from data_generator.config import DAY_MS
from data_generator.encode import id_prefix
from data_generator.facts import Event, Sale
from data_generator.people import Person
from data_generator.world import Shop

MINUTE = 60_000
#: Chance of a long pause after an event; some are longer than the 30 minutes that end a session.
LONG_PAUSE = 0.004
#: How much more readily those buy who have bought before.
CUSTOMER = 1.4


class Visit:
    """Adds events and lets time pass. `rng` is the visit's only chance; times in ms since 1970."""

    def __init__(
        self, rng: Random, shop: Shop, person: Person, device: int, arrival: Arrival, start: int
    ) -> None:
        self.rng = rng
        self.shop = shop
        self.person = person
        self.device = device
        self.currency = person.market.currency
        self.channel = arrival.channel
        self.now = start
        self.events: list[Event] = []
        self.prefix = id_prefix(rng)
        self.cart: dict[Item, int] = {}
        self.visitor, agent = person.devices[device]
        self._head = f'{{{person.city.context},{agent}{arrival.campaign},"page":{{"path":"'
        # The referrer is that of the whole visit: the shop is one page to the tracker.
        self._tail = f'"{arrival.referrer}}}}}'
        self._context = ""
        self._unknown = f'"anonymousId":"{self.visitor}",'
        self.user_id = ""
        self.who = self._unknown
        if shop.memory.knows(person.number, device):
            self.speaks_as(person.user_id)
        # Prices are those of the beginning: what is shown is what is charged, also past midnight.
        slip = shop.scenario.strength("price_slip", start, 1.0)
        self.day = start // DAY_MS
        self.shelf: Shelf = shop.world.catalogue.shelf(self.day, self.currency, slip)
        #: Factor on the chance to put something into the cart; 1 for a person of middling loyalty.
        self.eagerness = 0.6 + 1.2 * person.loyalty
        if person.number in shop.memory.orders:
            self.eagerness *= CUSTOMER

    def chance(self, share: float) -> bool:
        """True with this chance."""
        return self.rng.random() < share

    def speaks_as(self, user_id: str) -> None:
        """From here on events carry a user id."""
        self.user_id = user_id
        self.who = f'"userId":"{user_id}",{self._unknown}'

    def logs_in(self) -> None:
        """Tell who is there, and be known on this device from now on."""
        self.shop.memory.logged_in(self.person.number, self.device)
        self.speaks_as(self.person.user_id)
        self.does("identify", f"{{{self.shop.world.people.traits(self.person)}}}")

    def goes(self, path: str) -> None:
        """Be on another page of the shop; `path` needs no escaping."""
        self._context = f"{self._head}{path}{self._tail}"

    def does(self, name: str, body: str, fact: Sale | None = None) -> None:
        """Add an event now, then let some seconds pass."""
        events, visitor, random = self.events, self.visitor, self.rng.random
        events.append(
            Event(
                self.now,
                name,
                f"{self.prefix}{len(events):04x}",
                visitor,
                visitor,
                self.who,
                self._context,
                body,
                fact,
                self.channel,
            )
        )
        draw = random()
        self.now += 1_500 + int(draw * draw * draw * 4 * MINUTE)
        if random() < LONG_PAUSE:
            self.now += int((15 + 40 * random()) * MINUTE)
