"""`mercato init`: secrets and settings for the containers."""

from pathlib import Path

import click

from mercato import settings as config
from mercato.services import stack
from mercato.settings import ROOT


@click.command(short_help="Generate the secrets that docker-compose.yml mounts.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT,
    help="Instead of the checkout.",
)
def init(folder: Path) -> None:
    """Write generated secrets to secrets/ (a file each, mode 0600) and the containers' user to .env.

    Safe to run again: what is there stays as it is. To change a password, delete its file, run this, then
    `mercato migrate`, which tells the server. Nothing is printed but names.

    \b
    Example:
      mercato init && docker compose --profile full up --detach --wait
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = stack.prepare(folder.resolve(), config.load().environment)
    click.echo(f"made {', '.join(made)}" if made else "all is there, nothing was changed", err=True)
