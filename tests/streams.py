"""Streams of the simulated shop for tests, with faults and scenarios of their own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import mock

from data_generator import simulate
from data_generator.config import Config
from data_generator.facts import Record
from data_generator.faults import Injector
from data_generator.scenario import Scenario

END = datetime(2026, 3, 29, tzinfo=UTC)
#: What a consumer's clock says when the history has been loaded.
NOW = END


class Memory:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.ended = ""

    def send(self, records: list[Record]) -> None:
        assert all(record.line is not None for record in records)
        self.records += records

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


@contextmanager
def injecting(rates: float | Mapping[str, float]) -> Iterator[None]:
    """Inside, every simulated shop has these faults, whatever its Config says."""

    def injector(seed: str, _: Any, end: int, scenario: Scenario) -> Injector:
        return Injector(seed, rates, end, scenario)

    with mock.patch.object(simulate, "Injector", injector):
        yield


def stream(config: Config, rates: float | Mapping[str, float]) -> list[Record]:
    """All records of a history, those without a line too."""
    with injecting(rates):
        return list(simulate.records(config))
