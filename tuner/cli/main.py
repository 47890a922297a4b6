"""The `tuner` command: the tree of its commands, and what becomes of an error."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from tuner import __version__
from tuner.cli.output import print_json
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
  tuner params show XLIO_RX_POLL   what does a variable do?
"""

# Each command is a function of its own module; each noun is a module with a tree of commands.
COMMANDS: Final = ("tune", "measure", "compare", "minimise", "check", "report")
NOUNS: Final = ("profiles", "params", "sessions")


def program(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line, with the one command that `arguments` name or with all of them.

    The others are not imported, because importing is most of what a cheap command costs.
    """
    app = typer.Typer(
        name="tuner",
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(top)
    named = [name for name in (*COMMANDS, *NOUNS) if name in arguments[:1]] or (*COMMANDS, *NOUNS)
    for name in named:
        module = importlib.import_module(f"tuner.cli.{name}")
        if name in COMMANDS:
            app.command(name)(getattr(module, name))
        else:
            app.add_typer(module.app, name=name)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tuner {__version__}")
        raise typer.Exit


def top(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Hold the options of the program itself."""


def main() -> None:
    """Run the command line; an error of ours becomes one screen on stderr and its exit status."""
    try:
        program(sys.argv[1:])()
    except TunerError as reason:
        _tell(reason)
        sys.exit(reason.exit_status)
    except OSError as reason:
        _tell(
            TunerError(f"{reason.strerror}: {reason.filename or 'no file named'}", advice="what was measured is kept")
        )
        sys.exit(TunerError.exit_status)


def _tell(reason: TunerError) -> None:
    typer.echo(f"error: {reason.message}", err=True)
    for finding in reason.findings:
        typer.echo(f"  {finding}", err=True)
    if reason.advice:
        typer.echo(f"  → {reason.advice}", err=True)
    if "--json" in sys.argv:
        findings = [
            {"severity": f.severity, "where": f.where, "message": f.message, "suggestion": f.suggestion}
            for f in reason.findings
        ]
        answer = {"error": reason.message, "findings": findings, "advice": reason.advice}
        print_json(answer | ({"verdict": "failed"} if reason.exit_status == 1 else {}))
