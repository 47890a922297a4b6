"""The `tuner` command: the tree of its commands, and what becomes of an error."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tuner import __version__
from tuner.cli import check, compare, measure, params, profiles, sessions, tune
from tuner.cli.output import print_json
from tuner.errors import TunerError

app = typer.Typer(
    name="tuner",
    help=(
        "Find the best profile of a network stack for this host and this traffic, and prove it.\n\n"
        "Examples:\n\n"
        "  tuner check                            is this host fit to measure?\n\n"
        "  tuner tune latency --budget 90s        search from a known profile, confirm, write the winner\n\n"
        "  tuner measure latency                  what does one profile give?\n\n"
        "  tuner compare default latency          is one better than the other?\n\n"
        "  tuner params show XLIO_RX_POLL         what does a variable do?"
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tuner {__version__}")
        raise typer.Exit


@app.callback()
def top(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Hold the options of the program itself."""


app.command("tune")(tune.tune)
app.command("measure")(measure.measure)
app.command("compare")(compare.compare)
app.command("check")(check.check)
app.add_typer(profiles.app, name="profiles")
app.add_typer(params.app, name="params")
app.add_typer(sessions.app, name="sessions")


def main() -> None:
    """Run the command line; an error of ours becomes one screen on stderr and its exit status."""
    try:
        app()
    except TunerError as reason:
        _tell(reason)
        sys.exit(reason.exit_status)


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
        print_json({"error": reason.message, "findings": findings, "advice": reason.advice})
