"""The `tuner` command: its options, what it says when nothing is asked, and what becomes of an error."""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Final, TextIO

import typer

from tuner.cli.ends import CONNECTIONS
from tuner.cli.group import Group
from tuner.cli.screen.terminal import adapt
from tuner.cli.tree import HELP, PROGRAM, STORE, beneath
from tuner.errors import TunerError
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
    from tuner.results import FOLDER, Results

    typer.echo(welcome.text(Results(FOLDER, os.environ.get(STORE)), beneath(PROGRAM)))


def main() -> None:
    """Run the command line; an error becomes one screen on stderr and its exit status."""
    arguments = sys.argv[1:]
    gc.set_threshold(_GARBAGE)
    for stream in (sys.stdout, sys.stderr):
        adapt(stream, os.environ)
    status = _status(arguments)
    lost = _unwritten(sys.stdout)
    if lost is not None and lost.errno != errno.EPIPE:
        from tuner.cli.screen import failure

        failure.tell(_unprinted(lost), [])
    _unwritten(sys.stderr)
    sys.exit(status or (1 if lost else 0))


def _status(arguments: Sequence[str]) -> int:
    """Carry out what the command line asks for and return its exit status."""
    try:
        program()()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as reason:  # noqa: BLE001 - a user is not shown a traceback
        from tuner.cli.screen import failure

        if isinstance(reason, OSError) and _printed(reason):
            return failure.tell(_unprinted(reason), [])
        return failure.told(reason, arguments, os.environ)
    finally:
        CONNECTIONS.close()
    return 0


def _printed(reason: OSError) -> bool:
    """Return whether an error came from printing, of which it does not say the file: typer prints everything."""
    return any(frame.name == "echo" for frame in traceback.extract_tb(reason.__traceback__))


def _unprinted(reason: OSError) -> TunerError:
    return TunerError(f"cannot write to standard output: {reason.strerror}")


def _unwritten(stream: TextIO) -> OSError | None:
    """Return why what was printed could not be written, None where it was; then nothing more goes there.

    Python itself would try again when it ends, and exit with 120.
    """
    try:
        stream.flush()
    except OSError as reason:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return reason
    return None
