"""What the shop remembers of people between their visits; of most, nothing. Keyed by a person's number."""

from array import array


class Memory:
    """Grows with the people who log in, never with the days."""

    def __init__(self) -> None:
        #: Devices on which a person has logged in, a bit each.
        self.known: dict[int, int] = {}
        #: Orders by account, and the accounts with one that were not yet seen to be gone.
        self.orders: dict[int, int] = {}
        self.customers = array("L")
        #: Product number and quantity in turns, of carts left behind.
        self.carts: dict[int, tuple[int, ...]] = {}
        #: Product numbers on the wish list.
        self.wishes: dict[int, tuple[int, ...]] = {}
        #: The product bought last that is not reviewed yet.
        self.unreviewed: dict[int, int] = {}

    def knows(self, person: int, device: int) -> bool:
        """Whether the person has logged in on this device."""
        return bool(self.known.get(person, 0) >> device & 1)

    def logged_in(self, person: int, device: int) -> None:
        """Keep that a device belongs to an account."""
        self.known[person] = self.known.get(person, 0) | 1 << device

    def ordered(self, person: int, product: int) -> None:
        """Keep that an account bought something."""
        if person not in self.orders:
            self.customers.append(person)
        self.orders[person] = self.orders.get(person, 0) + 1
        self.unreviewed[person] = product
        self.carts.pop(person, None)
