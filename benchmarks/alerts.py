"""Do the alert rules find the anomalies that the generator labels, and nothing else?

A shop trades for --weeks weeks; in the last two, windows of trouble are spread over days and hours (payments fail,
carts are left, trackers fall silent, a crowd or a bot comes, prices slip), and 1 % of all events are hit by faults.
Then each rule that compares hours is asked at the end of every hour of these two weeks. An alarm is right if the hour
overlaps a window that the rule is there for, or one whose consequence it is; a window is found if one of its own rules
fires.

    .venv/bin/python benchmarks/alerts.py --weeks 7 --sessions 3000
"""

import argparse
import json
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest import database

from data_generator import simulate
from data_generator.config import Config
from data_generator.facts import Record
from data_generator.scenario import DEFAULT_STRENGTH, Scenario, Window
from ingestion.batch import Batch
from ingestion.migrations import migrate
from ingestion.warehouse import positions, write_batch
from mercato import postgres as driver
from mercato.dashboards.alerts import RULES, Rule
from mercato.postgres import Connection
from mercato.services import postgres, process
from mercato.settings import ROOT, Settings

END = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = 3_600_000
WATCHED = 14  # days
#: Kind of trouble to its minutes, its own rules, and those that may rightly fire as a consequence.
KINDS: dict[str, tuple[int, set[str], set[str]]] = {
    "payment_outage": (90, {"payments"}, {"conversion", "revenue", "volume"}),
    "cart_abandonment": (90, {"abandonment"}, {"conversion", "revenue", "volume"}),
    "silence": (120, {"volume"}, {"revenue", "conversion", "abandonment"}),
    "traffic": (120, {"volume"}, set()),
    "bot_burst": (60, {"volume"}, {"conversion", "abandonment"}),
    "price_slip": (120, {"price-slip"}, {"revenue", "volume"}),
}
STRENGTH = DEFAULT_STRENGTH | {"traffic": 4.0}
ASKED = {"volume", "revenue", "conversion", "abandonment", "payments", "price-slip"}


class Sink:
    """Loads records as the consumer does, in batches of what comes."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._next = connection, 0

    def send(self, records: list[Record]) -> None:
        """Write one batch."""
        batch = Batch("bench", "bench", positions(self._connection, "bench", "bench", [0]), 1_000_000)
        for one in records:
            batch.add(0, self._next, one.line, END)
            self._next += 1
        if batch.ranges:
            write_batch(self._connection, batch)

    def close(self) -> None:
        """Nothing waits."""

    def abort(self) -> None:
        """Nothing waits."""


def main() -> None:
    """Print precision and recall, and with --json one object on the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weeks", type=int, default=7)
    parser.add_argument("--sessions", type=int, default=3_000, help="a day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    settings = Settings(home=ROOT / ".mercato" / "benchmark", _env_file=None)
    with process.exclusive(settings.home):
        postgres.start(settings)
    try:
        found = measure(settings, options.weeks, options.sessions, options.seed)
    finally:
        postgres.stop(settings)
    _print(found)
    if options.json:
        print(json.dumps(found))


def windows(seed: int) -> tuple[Window, ...]:
    """Two windows of each kind, one a day, between 9 and 19 UTC."""
    rng = random.Random(seed)
    kinds = [*KINDS] * 2
    rng.shuffle(kinds)
    first = int((END - timedelta(days=WATCHED)).timestamp() * 1000)
    made = []
    for day, kind in enumerate(kinds):
        start = first + day * 24 * HOUR + rng.randrange(9, 19) * HOUR + rng.randrange(4) * HOUR // 4
        made.append(Window(kind, start, start + KINDS[kind][0] * 60_000, STRENGTH[kind]))
    return tuple(made)


def measure(settings: Settings, weeks: int, sessions: int, seed: int) -> dict[str, Any]:
    """Trade, ask every hour, compare with the labels."""
    trouble = windows(seed)
    with database(settings) as endpoint, driver.connect(endpoint, autocommit=True) as connection:
        migrate(connection)
        shop = Config(seed, END, weeks * 7, sessions, 0.01, scenario=Scenario(trouble))
        truth = simulate.run(shop, Sink(connection))
        alarms = {name: _alarms(connection, name) for name in sorted(ASKED)}
    return {"events": truth.sent, "windows": len(trouble), **_judge(trouble, alarms)}


def _alarms(connection: Connection, name: str) -> list[int]:
    """The hours, by their start in ms, for which the rule fires when asked at their end."""
    rule: Rule = next(rule for rule in RULES if rule.uid == f"mercato-{name}")
    asked = rule.sql.replace("now()", "at.at")
    fired = connection.execute(
        f"select distinct extract(epoch from at.at)::bigint * 1000 from generate_series(%s::timestamptz, %s, '1 hour')"
        f" as at (at) cross join lateral ({asked}) as found where found.value > {rule.limit} order by 1",
        [END - timedelta(days=WATCHED) + timedelta(hours=1), END],
    ).fetchall()
    return [moment - HOUR for (moment,) in fired]


def _judge(trouble: tuple[Window, ...], alarms: dict[str, list[int]]) -> dict[str, Any]:
    # All rules but the volume's look at two hours, so a window may ring an hour longer.
    def overlap(one: Window, hour: int, name: str) -> bool:
        return one.start < hour + HOUR and one.end + (HOUR if name != "volume" else 0) > hour

    rules: dict[str, dict[str, int]] = {}
    wrong: list[str] = []
    for name, hours in alarms.items():
        right = [
            hour
            for hour in hours
            if any(
                overlap(one, hour, name) and name in KINDS[one.kind][1] | KINDS[one.kind][2]
                for one in trouble
            )
        ]
        rules[name] = {"alarms": len(hours), "right": len(right)}
        wrong += [
            f"{name} {datetime.fromtimestamp(hour / 1000, UTC):%a %d %b %H:%M}"
            for hour in set(hours) - set(right)
        ]
    kinds: dict[str, dict[str, int]] = defaultdict(lambda: {"windows": 0, "found": 0})
    for one in trouble:
        own = KINDS[one.kind][1]
        kinds[one.kind]["windows"] += 1
        kinds[one.kind]["found"] += any(overlap(one, hour, name) for name in own for hour in alarms[name])
    rung, true = (sum(rule[key] for rule in rules.values()) for key in ("alarms", "right"))
    found = sum(kind["found"] for kind in kinds.values())
    return {
        "rules": rules,
        "kinds": dict(kinds),
        "wrong": sorted(wrong),
        "ratios": {"precision": round(true / max(rung, 1), 3), "recall": round(found / len(trouble), 3)},
    }


def _print(found: dict[str, Any]) -> None:
    print(
        f"{found['events']:,} events, {WATCHED * 24} hours watched, {found['windows']} windows of trouble\n"
    )
    print(f"{'rule':<18}{'alarms':>8}{'right':>8}{'precision':>12}")
    for name, rule in found["rules"].items():
        share = f"{rule['right'] / rule['alarms']:.0%}" if rule["alarms"] else "–"
        print(f"{name:<18}{rule['alarms']:>8}{rule['right']:>8}{share:>12}")
    print(f"\n{'trouble':<18}{'windows':>8}{'found':>8}{'recall':>12}")
    for name, kind in sorted(found["kinds"].items()):
        print(f"{name:<18}{kind['windows']:>8}{kind['found']:>8}{kind['found'] / kind['windows']:>12.0%}")
    print(f"\nwrong: {', '.join(found['wrong']) or 'none'}")
    print("\nprecision {precision:.0%}, recall {recall:.0%}".format(**found["ratios"]))


if __name__ == "__main__":
    main()
