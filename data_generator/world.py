"""The whole of what is there before anybody visits: the catalogue and the people. Cheap to build anew."""

from dataclasses import dataclass

from data_generator.catalogue import Catalogue
from data_generator.memory import Memory
from data_generator.people import People
from data_generator.scenario import Scenario
from data_generator.stock import Stock


@dataclass(frozen=True, slots=True)
class World:
    """The products of a seed and its people."""

    catalogue: Catalogue
    people: People


@dataclass(frozen=True, slots=True)
class Shop:
    """What the visits of one shard meet: the world, its own fulfilment centre and its own memory."""

    world: World
    scenario: Scenario
    stock: Stock
    memory: Memory
    centre: str


def build(seed: int, people: int) -> World:
    """The world of a seed with so many people."""
    return World(Catalogue(seed), People(seed, people))
