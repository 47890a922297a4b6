"""The `tuner` command: the tree of its commands, and what becomes of an error."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from keyword import iskeyword
from typing import Annotated, Final

import typer

from tuner import __version__
from tuner.catalogue import places
from tuner.cli import completion
from tuner.cli.screen import failure
from tuner.cli.screen.terminal import adapt
from tuner.errors import TunerError

HELP: Final = """Find the best profile of a network stack for this host and this traffic, and prove it.

\b
Examples:
  tuner check                      is this host fit to measure?
  tuner tune latency --budget 90s  search, confirm, write the winner
  tuner measure latency            what does one profile give?
  tuner compare default latency    is one better than the other?
  tuner minimise latency           which of its settings matter?
  tuner report --open              what did the last session find?
  tuner run latency -- COMMAND     start a program under a profile
  tuner apply latest --target env:app.env   put the winner where it is used
  tuner params show XLIO_RX_POLL   what does a variable do?
"""

# Each command is a function of its own module; each noun is a module with a tree of commands.
COMMANDS: Final = (
    "tune",
    "measure",
    "compare",
    "minimise",
    "check",
    "verify",
    "report",
    "export",
    "import",
    "apply",
    "run",
)
NOUNS: Final = ("profiles", "params", "sessions", "conf", "onload")


def program(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line, with the one command that `arguments` name or with all of them.

    The others are not imported, because importing is most of what a cheap command costs.
    """
    app = typer.Typer(
        name="tuner",
        help=HELP,
        invoke_without_command=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(top)
    for name in _named(arguments):
        word = f"{name}_" if iskeyword(name) else name
        module = importlib.import_module(f"tuner.cli.commands.{word}")
        if name in COMMANDS:
            app.command(name)(getattr(module, word))
        else:
            app.add_typer(module.app, name=name)
    return app


def _named(arguments: Sequence[str]) -> Sequence[str]:
    """Return the names of the commands that are needed: the one that is named, none where nothing is said, or all."""
    every = (*COMMANDS, *NOUNS)
    return [name for name in every if name in arguments[:1]] or (every if arguments else ())


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
    if context.invoked_subcommand is None:
        from tuner.cli import welcome
        from tuner.results import FOLDER

        typer.echo(welcome.text(FOLDER, (*COMMANDS, *NOUNS)))


def main() -> None:
    """Run the command line; an error becomes one screen on stderr and its exit status."""
    arguments = sys.argv[1:]
    for stream in (sys.stdout, sys.stderr):
        adapt(stream, os.environ)
    places.use(places.of_user(os.environ))
    try:
        asked = completion.words(os.environ)
        app = program(asked or arguments)
        if asked:
            completion.attach(app)
        app()
    except TunerError as reason:
        sys.exit(failure.tell(reason, arguments))
    except OSError as reason:
        what = f"{reason.strerror}: {reason.filename or 'no file named'}"
        sys.exit(failure.tell(TunerError(what, advice="what was measured is kept"), arguments))
    except Exception as bug:  # noqa: BLE001 - a user is not shown a traceback
        sys.exit(failure.tell_bug(bug, arguments, debug=bool(os.environ.get(failure.DEBUG))))
