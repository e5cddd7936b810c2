"""What DAGs wait for: raw grows, a new warehouse has no daily tables. The asset graph of the UI is made of these."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import Asset, AssetWatcher
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

log = logging.getLogger(__name__)


class RawHasGrown(BaseEventTrigger):
    """Fires when raw holds events that the models haven't taken in, once a load watermark.

    Once: while `transform` can't move the watermark, because it is red, the growth isn't told again and again; its
    time schedule tries. While it runs, growth beyond its watermark is told, and the next run follows at once.
    """

    #: Seconds between two looks, each a query of an index.
    EVERY = 2.0
    #: And before the first: who starts Airflow to run `transform` comes first, and has no second run to wait for.
    FIRST = 15.0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow stores it."""
        return "mercato_assets.RawHasGrown", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for ever. A warehouse that is away has not grown."""
        told: object = ()
        await asyncio.sleep(self.FIRST)
        while True:
            rows, watermark = await asyncio.to_thread(_ahead)
            if rows and watermark != told:
                told = watermark
                yield TriggerEvent({"rows": rows})
            await asyncio.sleep(self.EVERY)


class DailyNeverMade(BaseEventTrigger):
    """Fires where reports stand and the tables that are made once a day never were; once.

    A new warehouse's dashboards would lack them until the night. Seen at two looks: who runs `publish` by hand after
    the first transform, as the demo does, has no second run to wait for.
    """

    #: Seconds between two looks.
    EVERY = 30.0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow stores it."""
        return "mercato_assets.DailyNeverMade", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for ever. While they aren't there it isn't told again: a red run is tried anew by the clock."""
        before = told = False
        while True:
            now = await asyncio.to_thread(_never_made)
            told = told and now
            if now and before and not told:
                told = True
                yield TriggerEvent({})
            before = now
            await asyncio.sleep(self.EVERY)


def _ahead() -> tuple[int, str | None]:
    from mercato.commands.due import raw_ahead
    from mercato.settings import load

    try:
        return raw_ahead(load())
    except Exception as error:  # a watcher that ends isn't started again
        log.warning("raw can't be looked at: %s", error)
        return 0, None


def _never_made() -> bool:
    from mercato.commands.due import daily_never_made
    from mercato.settings import load

    try:
        return daily_never_made(load())
    except Exception as error:
        log.warning("the daily tables can't be looked for: %s", error)
        return False


RAW_EVENTS = Asset(
    "raw_events",
    uri="mercato://warehouse/raw/events",
    group="warehouse",
    watchers=[AssetWatcher(name="raw_has_grown", trigger=RawHasGrown())],
)
DAILY_MISSING = Asset(
    "daily_reports_missing",
    uri="mercato://warehouse/reports/daily/missing",
    group="warehouse",
    watchers=[AssetWatcher(name="daily_never_made", trigger=DailyNeverMade())],
)
MARTS = Asset("marts", uri="mercato://warehouse/marts", group="warehouse")
REPORTS = Asset("daily_reports", uri="mercato://warehouse/reports/daily", group="warehouse")
EXPORTS = Asset("exports", uri="mercato://files/exports", group="files")
