"""`mercato rehearse`: this checkout's models on the warehouse's data, in schemas of their own, dropped again."""

import json
import secrets

import click

from mercato import settings as config
from mercato.commands.full_refresh import drop_copy
from mercato.errors import WrongUse
from mercato.postgres import Connection, connect
from mercato.services import dbt, endpoints
from mercato.services.dbt_results import Layer


@click.command(short_help="Build and test a change in schemas of its own, then drop them.")
@click.option("--name", help="Of the schemas: ci_NAME_staging, … Default: one that nobody has.")
@click.option("--keep", is_flag=True, help="Leave the schemas, to look at them.")
@click.option("--drop", is_flag=True, help="Only drop the schemas of --name.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object on stdout.")
def rehearse(name: str | None, keep: bool, drop: bool, as_json: bool) -> None:
    """Build every model of this checkout from the warehouse's raw events, beside the real tables, and run every test.

    For a change before it is merged: continuous integration runs it once a change. The real tables, what they have
    taken in and the load watermark stay as they are; the schemas are dropped whatever happens.

    \b
    Example:
      mercato rehearse --name change_42
    """
    if name is not None and not (name.isidentifier() and name.islower() and name.isascii()):
        raise WrongUse(f"--name {name}", "small letters, digits and underscores, a letter first")
    if drop and name is None:
        raise WrongUse("--drop without --name", "say which: `mercato rehearse --drop --name change_42`")
    settings = config.load()
    prefix = f"ci_{name or secrets.token_hex(4)}_"
    with connect(
        endpoints.warehouse(settings), autocommit=True, application="mercato rehearse"
    ) as connection:
        if drop:
            drop_copy(connection, prefix)
            return
        try:
            done = _build(settings, connection, prefix)
        finally:
            if not keep:
                drop_copy(connection, prefix)
    click.echo(f"{done.models} models, {done.tests} tests, {done.seconds:.1f} s in {prefix}…", err=True)
    if as_json:
        click.echo(json.dumps({"prefix": prefix, **done.as_dict()}))


def _build(settings: config.Settings, connection: Connection, prefix: str) -> Layer:
    with dbt.exclusive(settings) as lock:
        made = connection.execute("select to_regclass('staging.stg_load_watermark') is not null").fetchone()
        if made != (True,):
            dbt.build_watermark(settings, lock)
        return dbt.build_apart(settings, prefix, lock)
