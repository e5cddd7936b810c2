"""The `mercato` command: data on stdout, words for people on stderr; exit 0 done, 1 failed, 2 wrong use.

Each subcommand lives in one module of `mercato.commands`, imported only when it is called, so that
`mercato --help` answers at once.
"""

import importlib
import sys
from collections.abc import Sequence

import click

from mercato import __version__
from mercato.errors import MercatoError

#: Subcommand to its module in mercato.commands, in the order of the help.
COMMANDS = {
    "demo": "demo",
    "init": "init",
    "migrate": "migrate",
    "up": "services",
    "down": "services",
    "status": "services",
    "doctor": "doctor",
    "generate": "generate",
    "consume": "consume",
    "load": "load",
    "lag": "lag",
    "replay": "replay",
    "transform": "transform",
    "backfill": "backfill",
    "rehearse": "rehearse",
    "verify": "verify",
    "export": "export",
    "runs": "runs",
    "report": "report",
    "maintain": "maintain",
    "backup": "backup",
    "restore": "backup",
    "chaos": "chaos",
}


class Commands(click.Group):
    """A group that imports a subcommand's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Subcommands, main job first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """The subcommand, or None if there is none of this name."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"mercato.commands.{COMMANDS[name]}")
        command: click.Command = getattr(module, name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="mercato")
def cli() -> None:
    """The e-commerce data stack that proves its numbers.

    \b
    Example:
      mercato demo                      the main job, end to end
      mercato up --airflow && mercato status
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit; an error we know is a line and its cure, not a traceback."""
    try:
        cli.main(args=arguments, prog_name="mercato", standalone_mode=True)
    except MercatoError as error:
        click.echo(f"mercato: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of our output went away
        sys.exit(1)
    except PermissionError as error:
        click.echo(
            f"mercato: {error.filename}: permission denied\n  cure: give it to your user (chown -R)", err=True
        )
        sys.exit(1)
    except OSError as error:
        if error.errno != 28:  # ENOSPC
            raise
        click.echo("mercato: no space left on the disk\n  cure: free some, or set MERCATO_HOME", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
