"""How fast is the shop, and does it hold a rate?

    .venv/bin/python benchmarks/generator.py                    speed and memory, a minute
    .venv/bin/python benchmarks/generator.py --events 20000000  memory of so many, too; minutes
    .venv/bin/python benchmarks/generator.py --live 120         holds 2,000 events a second? (`mercato up` first)
    … --json                                                    one JSON object on the last line

Speed: events a second of one process, from an empty one to the truth, into a sink that drops them, beside
two others on events of the very same run, decoded to dictionaries and held in memory:

limit   Only encoding them to bytes: no shop, no faults, no truth. Twice, as there is no one limit: with json, the
        encoder of the standard library, which most generators use; and with msgspec, written in C and the fastest
        encoder for Python, so the most that any Python program with JSON at its end could reach.
habit   A Faker call for each field of an event of the same form, then json.dumps: what generators do.

The three take turns, and the ratios are of the medians. Memory: the largest resident size of a process of
its own that makes so many events.

Seen on two shared cores: 85,000 events a second; 0.90 of the limit with json, 0.10 of the one with msgspec,
38 times the habit; 170 MB for 1 million events, 242 MB for 20 million; 2,000 events a second held for two
minutes (2,000.0; 2,000.2 in the worst ten seconds).
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from faker import Faker

from data_generator import publish, simulate
from data_generator.config import Config
from data_generator.facts import Record
from data_generator.fault_kinds import KINDS
from mercato import settings
from mercato.kafka_admin import Admin
from mercato.services import endpoints

END = datetime(2026, 3, 29, tzinfo=UTC)
SESSIONS = 3_600
DAYS = 2_000  # more than any number of events here needs
TOPIC = "benchmark-generator"
RATE = 2_000
_BROKEN = {kind for kind, reason in KINDS.items() if reason}


class Null:
    """A sink that drops everything; keeps the first `keep` good records."""

    def __init__(self, keep: int = 0) -> None:
        self.lines: list[bytes] = []
        self._keep = keep

    def send(self, records: list[Record]) -> None:
        """Take records."""
        if len(self.lines) < self._keep:
            self.lines += [one.line for one in records if one.line is not None and one.fault not in _BROKEN]

    def close(self) -> None:
        """Nothing waits."""

    def abort(self) -> None:
        """Nothing to undo."""


def shop(events: int, sink: Null | None = None) -> int:
    """Simulate about so many events into a null sink; how many."""
    sent = [0]
    truth = simulate.run(
        Config(7, END, DAYS, SESSIONS),
        sink or Null(),
        progress=lambda so_far, _: sent.__setitem__(0, so_far),
        stop=lambda: sent[0] >= events,
    )
    return truth.sent


def encode(events: list[dict[str, Any]], encoder: Callable[[Any], bytes]) -> int:
    """Encode events, one by one; how many."""
    for event in events:
        encoder(event)
    return len(events)


def as_json(event: dict[str, Any]) -> bytes:
    """The standard library's encoding."""
    return json.dumps(event, separators=(",", ":")).encode()


def habit(shapes: list[dict[str, Any]], fake: Faker) -> int:
    """Events of these shapes, every field from a call of Faker."""
    for shape in shapes:
        as_json(_fill(shape, "", fake))
    return len(shapes)


def _fill(value: Any, name: str, fake: Faker) -> Any:
    if isinstance(value, dict):
        return {key: _fill(one, key, fake) for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one, name, fake) for one in value]
    if name in ("timestamp", "sentAt", "receivedAt"):
        return fake.iso8601()
    if name.endswith(("Id", "_id")):
        return fake.uuid4()
    if isinstance(value, float):
        return fake.pyfloat(min_value=1, max_value=500, right_digits=2)
    if isinstance(value, int):
        return fake.random_int(1, 9)
    special = {"email": fake.email, "city": fake.city, "country": fake.country_code, "url": fake.url}
    return special.get(name, fake.word)()


def speed(events: int, repeats: int) -> dict[str, list[float]]:
    """Events a second of each contestant, once for each turn."""
    ready = Null(keep=100_000)
    shop(100_000, ready)
    dictionaries = [msgspec.json.decode(line) for line in ready.lines]
    fake = Faker("en_US")
    fake.seed_instance(7)
    contestants: dict[str, Callable[[], int]] = {
        "shop": lambda: shop(events),
        "limit: json": lambda: encode(dictionaries, as_json),
        "limit: msgspec": lambda: encode(dictionaries, msgspec.json.Encoder().encode),
        "habit: Faker": lambda: habit(dictionaries[:3_000], fake),
    }
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, contestant in contestants.items():
            begun = time.perf_counter()
            made = contestant()
            found[name].append(made / (time.perf_counter() - begun))
    return found


def memory(events: int) -> float:
    """Peak resident size, in MB, of a process that makes so many events."""
    command = [sys.executable, __file__, "--memory-of", str(events)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def live(seconds: int) -> dict[str, float]:
    """Rate held into the local broker: the mean, and the mean of the worst ten seconds."""
    local = settings.load()
    servers = endpoints.kafka(local)
    with Admin(servers) as admin:
        admin.ensure_topic(TOPIC, 3)
        moments: list[tuple[float, int]] = []
        simulate.run(
            Config(7, END, DAYS, SESSIONS),
            publish.KafkaSink(servers, TOPIC),
            progress=lambda sent, _: moments.append((time.monotonic(), sent)),
            stop=lambda: bool(moments) and time.monotonic() - moments[0][0] >= seconds,
            rate=RATE,
        )
        admin.delete_topic(TOPIC)
    begun, before = moments[0]
    windows: dict[int, list[tuple[float, int]]] = {}
    for at, sent in moments:
        windows.setdefault(int((at - begun) // 10), []).append((at, sent))
    whole = [one for one in windows.values() if one[-1][0] - one[0][0] > 9]
    rates = [(one[-1][1] - one[0][1]) / (one[-1][0] - one[0][0]) for one in whole]
    at, sent = moments[-1]
    held = (sent - before) / (at - begun)
    worst = max(rates, key=lambda rate: abs(rate - RATE), default=held)
    return {"wanted": RATE, "seconds": at - begun, "held": held, "worst_ten_seconds": worst}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="measure the memory of so many, too")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--live", type=int, metavar="SECONDS", help="hold 2,000/s into the local broker")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.memory_of:
        shop(wanted.memory_of)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024)
        return
    result: dict[str, Any] = {"question": "how fast is the shop?"}
    if wanted.live:
        result |= {"live": live(wanted.live)}
        result["ratios"] = {"held_to_wanted": result["live"]["held"] / RATE}
        for name, value in result["live"].items():
            print(f"{name.replace('_', ' '):<20}{value:>14,.1f}")
    else:
        # First: a process inherits the peak of the one that starts it, which must still be small.
        sizes = {events: memory(events) for events in sorted({1_000_000, wanted.events})}
        found = speed(300_000, wanted.repeats)
        middle = {name: statistics.median(values) for name, values in found.items()}
        result["events_per_second"] = middle
        result["ratios"] = {
            f"shop_to_{name.replace(': ', '_').lower()}": middle["shop"] / middle[name]
            for name in middle
            if name != "shop"
        }
        print(f"{'':<16}{'events/s':>12}{'lowest':>12}{'highest':>12}{'shop is':>10}")
        for name, values in found.items():
            times = middle["shop"] / middle[name]
            row = f"{middle[name]:>12,.0f}{min(values):>12,.0f}{max(values):>12,.0f}{times:>9.2f}×"
            print(f"{name:<16}{row}")
        result["peak_mb"] = sizes
        for events, size in sizes.items():
            print(f"{events:,} events: {size:,.0f} MB at most")
        if len(sizes) > 1:
            result["ratios"]["memory_of_most_to_1m"] = sizes[max(sizes)] / sizes[min(sizes)]
    if wanted.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
