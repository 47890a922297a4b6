"""The `tuner` command: its options, what it says when nothing is asked, and what becomes of an error."""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated, Final

import typer

from tuner.cli.group import Group
from tuner.cli.screen.terminal import adapt
from tuner.cli.tree import HELP, PROGRAM, beneath
from tuner.version import __version__

# Catalogues are many small objects that live to the end; to look for cycles among them takes a tenth of a cheap command.
_GARBAGE: Final = 50_000


def program() -> typer.Typer:
    """Return the command line; its commands are imported when they are called."""
    app = typer.Typer(
        name=PROGRAM,
        cls=Group,
        help=HELP,
        invoke_without_command=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(top)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tuner {__version__}")
        raise typer.Exit


def top(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Hold the options of the program itself; without a command, say what to do next."""
    if context.invoked_subcommand is not None:
        from tuner.catalogue import places

        places.use(places.of_user(os.environ))
        return
    from tuner.cli import welcome
    from tuner.results import FOLDER

    typer.echo(welcome.text(FOLDER, beneath(PROGRAM)))


def main() -> None:
    """Run the command line; an error becomes one screen on stderr and its exit status."""
    arguments = sys.argv[1:]
    gc.set_threshold(_GARBAGE)
    for stream in (sys.stdout, sys.stderr):
        adapt(stream, os.environ)
    try:
        program()()
    except Exception as reason:  # noqa: BLE001 - a user is not shown a traceback
        from tuner.cli.screen import failure

        sys.exit(failure.told(reason, arguments, os.environ))
