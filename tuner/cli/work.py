"""What the terminal does while a session runs: the view, Ctrl-C, and the summary and report that are written at the end."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TextIO

import typer

from tuner import atomic_file
from tuner.cli.ends import Ends, placed
from tuner.cli.screen import answered
from tuner.cli.screen.interrupts import Interrupts, watch_stops
from tuner.cli.screen.progress import Lines, Watch
from tuner.cli.screen.terminal import terminal
from tuner.errors import HostLost, StoreError, TunerError
from tuner.hosts import keeping
from tuner.hosts.host import HERE
from tuner.records import Kind, State
from tuner.report.summary import summary
from tuner.results import Results
from tuner.session.answer.answers import Answer
from tuner.session.workspace import Ongoing, Workspace

if TYPE_CHECKING:  # typer has nothing to do with it
    from tuner.session.measuring.progress import Progress

# Kinds of sessions that end in an answer people show each other.
REPORTED: Final = (Kind.TUNE, Kind.COMPARE, Kind.MINIMISE)


_HERE: Final = Ends()


@dataclass(slots=True)
class _Screen:
    """Who watches sessions at this terminal, and the session that is to have a report once its answer is told."""

    results: Results
    verbose: bool
    pairs: Path | None = None
    """The file of pairs that the session measures on."""
    unreported: Ongoing | None = None

    @contextmanager
    def __call__(self, session: Ongoing) -> Iterator[Progress]:
        """Show a session; its summary is written, however it ends."""
        self.unreported = session
        with _watched(self, session) as lines:
            yield lines


def workspace(where: Results, ends: Ends = _HERE, *, verbose: bool = False) -> Workspace:
    """Return the workspace of this user, in the current folder and at this terminal, with its results and their store.

    Raise `TunerError` where a host of `ends` cannot be reached.
    """
    watch_stops()
    found = Workspace.of_user(os.environ, Path.cwd(), where.folder)
    screen = _Screen(where, verbose, ends.file)
    found = replace(found, database=where.store, watch=screen, note=_say)
    return placed(ends, found)


def _say(line: str) -> None:
    typer.echo(line, err=True)


def tell(answer: Answer, at: Workspace, *, json: bool, verbose: bool = False) -> NoReturn:
    """Print what a session answered, write its report, and leave with its exit status.

    The answer comes first, because making the report takes time, and can fail or be interrupted.
    """
    leave(answered.told(answer, at.results, json=json, verbose=verbose), at)


def leave(status: int, at: Workspace) -> NoReturn:
    """Write the report of the session whose answer was told, and leave with an exit status."""
    sys.stdout.flush()
    if isinstance(at.watch, _Screen) and at.watch.unreported:
        _write_report(at.watch.unreported, at.results)
    raise typer.Exit(status)


@contextmanager
def _watched(screen: _Screen, session: Ongoing) -> Iterator[Progress]:
    """Show a session, let Ctrl-C end it early, and write its summary, however it ends; its report where it has no answer."""
    results, verbose = screen.results, screen.verbose
    again = f"tuner sessions resume {session.id}{results.options()}{_hosts(session, screen.pairs)}"
    budget_s = math.inf if session.plan.open_ended else session.plan.budget_s
    gone = f"tuner ended without a word of its own: killed, or for want of memory. Every finished run is kept. To continue: {again}"
    with keeping.last_words(f"{gone}\n", sys.stderr), _watcher(sys.stderr, budget_s, verbose=verbose) as lines:
        try:
            with Interrupts(lambda: _end_early(session, lines), session.continued):
                _tell_doubts(lines, session)  # who has read the name of the session may stop it
                yield lines
        except KeyboardInterrupt:
            lines.note(f"stopped; every finished run is kept. To continue: {again}")
            raise typer.Exit(1) from None
        except Exception as reason:
            if _can_go_on(reason):
                lines.note(f"stopped; every finished run is kept. To continue: {again}")
            raise
        finally:
            _write_summary(session, results)
        if session.store.session(session.id).state is State.STOPPED:
            lines.note(f"stopped early. To continue: {again}")


def _can_go_on(reason: Exception) -> bool:
    """Return whether a session that an error broke off can be gone on with, and the error does not say how."""
    if not isinstance(reason, TunerError):
        return True
    return isinstance(reason, HostLost) or (isinstance(reason, StoreError) and "sessions resume" not in reason.advice)


def _hosts(session: Ongoing, pairs: Path | None) -> str:
    """Return the options that name the hosts of a session again, empty where it is on this machine alone."""
    if session.plan.pairs:
        return f" --pairs {shlex.quote(str(pairs or 'FILE'))}"
    named = session.plan.ends
    rows = (("server", named.server), ("client", named.client)) if named else ()
    return "".join(f" --{end} {shlex.quote(host)}" for end, host in rows if host != HERE)


def _watcher(stream: TextIO, budget_s: float, *, verbose: bool) -> Watch:
    """Return a live view when `stream` is a terminal that can be drawn on, plain lines otherwise."""
    found = terminal(stream, os.environ)
    if found is None or not found.draws:
        return Lines(stream, found, verbose=verbose)
    from tuner.cli.screen.live import Live

    return Live(found, budget_s, verbose=verbose)


def _tell_doubts(lines: Watch, session: Ongoing) -> None:
    lines.note(f"session {session.id}")
    for doubt in session.store.session(session.id).facts.get("doubts", ()):
        lines.note(f"  warning: {doubt['what']} ({doubt['advice']})")


def _end_early(session: Ongoing, lines: Watch) -> None:
    proof_s = session.end_early()
    then = (
        f"the best profile so far is confirmed for up to {proof_s:.0f} s"
        if proof_s
        else "the answer is computed from the runs so far"
    )
    lines.urgent(f"stopping: the current run ends, then {then}; Ctrl-C again stops now. All runs are kept")


def _write_summary(session: Ongoing, results: Results) -> None:
    """Write the summary of a session; that it cannot be written is told, and hides no other reason."""
    path = results.summary(session.id)
    atomic_file.sweep(path.parent)
    try:
        atomic_file.write(path, summary(session.store, session.store.session(session.id)), follow=False)
    except OSError as reason:
        typer.echo(f"no summary: cannot write {path}: {reason.strerror}", err=True)
    except TunerError as reason:
        typer.echo(f"no summary: {reason.message}", err=True)


def _write_report(session: Ongoing, results: Results) -> None:
    """Write the report beside the summary, of a kind that people show each other; it takes nothing from the session.

    That it cannot be made, or was interrupted, is told.
    """
    if session.plan.kind not in REPORTED:
        return
    try:
        from tuner.report import files

        path = results.report(session.id)
        files.write_html(session.store, session.store.session(session.id), path)
    except KeyboardInterrupt:
        typer.echo(f"no report: interrupted; to make it: tuner report {session.id}{results.options()}", err=True)
    except Exception as reason:  # noqa: BLE001 - whatever it is, the answer matters more than its picture
        said = (
            f"no report: {type(reason).__name__}: {reason}; to try again: tuner report {session.id}{results.options()}"
        )
        typer.echo(said, err=True)
    else:
        typer.echo(f"report   {path}", err=True)
