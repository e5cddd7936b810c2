"""`mercato report`: the dashboards drawn to a page and to paper, without Grafana."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from mercato import settings as config
from mercato.dashboards.catalogue import DASHBOARDS
from mercato.dashboards.panel import Dashboard
from mercato.dashboards.picture import Picture, picture
from mercato.dashboards.sql import Chosen, report_sql
from mercato.dashboards.vocabulary import CURRENCY
from mercato.dashboards.wording import Lang
from mercato.errors import WrongUse
from mercato.postgres import Connection, Missing, connect
from mercato.services import endpoints, postgres

DAYS = 30
_DATE = click.DateTime(["%Y-%m-%d"])
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(short_help="The dashboards as one HTML file and as a PDF.")
@click.option("--html", "html_file", type=_FILE, help="Write a page that opens with the network off.")
@click.option("--pdf", "pdf_file", type=_FILE, help="Write A4 pages.")
@click.option(
    "--svg",
    "svg_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a picture a dashboard.",
)
@click.option("--from", "first", type=_DATE, help=f"First day, UTC.  [default: {DAYS} days before the last]")
@click.option("--to", "last", type=_DATE, help="Last day, UTC, in whole.  [default: today]")
@click.option("--week", is_flag=True, help="The last whole week, Monday to Sunday, UTC.")
@click.option("--lang", type=click.Choice(["en", "fr"]), default="en", show_default=True)
@click.option("--currency", help="The one shown (first).  [default: the one with most orders]")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as one JSON object on stdout.")
def report(
    html_file: Path | None,
    pdf_file: Path | None,
    svg_folder: Path | None,
    first: datetime | None,
    last: datetime | None,
    week: bool,
    lang: Lang,
    currency: str | None,
    as_json: bool,
) -> None:
    """Draw the dashboards to HTML and PDF: the same definitions that Grafana shows, no browser, no network.

    \b
    Example:
      mercato report --html report.html --pdf report.pdf
      mercato report --week --pdf week.pdf
      mercato report --pdf days.pdf --from 2026-11-09 --to 2026-11-15 --lang fr --currency EUR
    """
    if html_file is None and pdf_file is None and svg_folder is None:
        raise WrongUse(
            "none of --html, --pdf and --svg is given", "`mercato report --html report.html --pdf report.pdf`"
        )
    if week and (first or last):
        raise WrongUse("--week is given with --from or --to", "give either")
    start, end = period(*last_week(datetime.now(UTC))) if week else period(first, last)
    began = time.monotonic()
    made = write(config.load(), start, end, lang, currency, html_file, pdf_file, svg_folder)
    if as_json:
        click.echo(json.dumps({**made, "seconds": round(time.monotonic() - began, 2)}))
    else:
        for path in filter(None, (html_file, pdf_file)):
            click.echo(f"{path}  {path.stat().st_size / 1_000_000:.1f} MB", err=True)


def period(first: datetime | None, last: datetime | None) -> tuple[datetime, datetime]:
    """From the first day's first second to the last day's last, UTC.

    Raises:
        WrongUse: the first is after the last.
    """
    end = (last or datetime.now(UTC)).replace(tzinfo=UTC, hour=23, minute=59, second=59, microsecond=0)
    start = (first or end - timedelta(days=DAYS)).replace(tzinfo=UTC, hour=0, minute=0, second=0)
    if start > end:
        raise WrongUse("--from is after --to", "give the earlier day first")
    return start, end


def last_week(now: datetime) -> tuple[datetime, datetime]:
    """Monday and Sunday of the last week that is over."""
    sunday = now - timedelta(days=now.isoweekday())
    return sunday - timedelta(days=6), sunday


def write(
    settings: config.Settings,
    start: datetime,
    end: datetime,
    lang: Lang,
    currency: str | None,
    html_file: Path | None,
    pdf_file: Path | None,
    svg_folder: Path | None = None,
) -> dict[str, object]:
    """Read every panel's rows and write the files asked for; what was drawn comes back.

    Raises:
        WrongUse: no order was ever in that currency.
    """
    from mercato.dashboards import page, paper  # the drawing engine takes half a second to load

    with connect(endpoints.warehouse(settings, role=postgres.READER), autocommit=True) as connection:
        currencies = currencies_of(connection)
        if currency and currency not in currencies:
            raise WrongUse(
                f"there is no order in {currency}",
                f"the currencies are {', '.join(currencies) or 'none yet'}",
            )
        shown = currency or next(iter(currencies), "")
        pictures = read(connection, Chosen(start, end, {}), lang)
    days = f"{start:%Y-%m-%d} – {end:%Y-%m-%d}"
    if html_file:
        write_whole(html_file, page.html(pictures, lang, shown, currencies, days).encode())
    if pdf_file:
        write_whole(pdf_file, paper.pdf(pictures, lang, shown, days))
    if svg_folder:
        svg_folder.mkdir(parents=True, exist_ok=True)
        for dashboard, ones in pictures:
            drawing = paper.poster(ones, lang, shown)
            (svg_folder / f"{dashboard.uid}.svg").write_text(drawing, "utf-8")
    drawn = [one.chosen(shown) for _, ones in pictures for one in ones]
    return {
        "period": [f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}"],
        "currency": shown,
        "html": str(html_file) if html_file else None,
        "pdf": str(pdf_file) if pdf_file else None,
        "panels": len(drawn),
        "empty": [f"{one.uid}/{one.panel.key}" for one in drawn if not one.rows],
    }


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or as it was."""
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(content)
    draft.replace(path)


def currencies_of(connection: Connection) -> list[str]:
    """Those with orders, most first."""
    try:
        return [currency for (currency,) in connection.execute(CURRENCY.sql.encode()).fetchall()]
    except Missing:
        return []


def read(connection: Connection, chosen: Chosen, lang: Lang) -> list[tuple[Dashboard, list[Picture]]]:
    """Each dashboard of the report with its panels' rows; a table that isn't built yet has none."""
    found = []
    for dashboard in DASHBOARDS:
        if dashboard.live:
            continue
        pictures = []
        for panel in dashboard.panels:
            try:
                cursor = connection.execute(report_sql(panel, chosen).encode())
                names = [column.name for column in cursor.description or ()]
                rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            except Missing:
                rows = []
            pictures.append(picture(dashboard, panel, rows, lang))
        found.append((dashboard, pictures))
    return found
