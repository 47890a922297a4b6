"""What the terminal does while a session runs: the view, Ctrl-C, and the summary and report that are written at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import typer

from tuner import atomic_file
from tuner.cli.screen.interrupts import Interrupts
from tuner.cli.screen.progress import Lines, Watch
from tuner.cli.screen.terminal import terminal
from tuner.records import Kind, State
from tuner.report.summary import summary
from tuner.results import Results
from tuner.session.workspace import Ongoing, Workspace

if TYPE_CHECKING:  # typer has nothing to do with it
    from tuner.session.measuring.progress import Progress

# Kinds of sessions that end in an answer people show each other.
REPORTED: Final = (Kind.TUNE, Kind.COMPARE, Kind.MINIMISE)


def workspace(folder: Path, *, verbose: bool = False) -> Workspace:
    """Return the workspace of this user, in the current folder and at this terminal, with a results folder."""
    found = Workspace.of_user(os.environ, Path.cwd(), folder)
    return replace(found, watch=partial(_watched, found.results, verbose))


@contextmanager
def _watched(results: Results, verbose: bool, session: Ongoing) -> Iterator[Progress]:
    """Show a session, let Ctrl-C end it early, and write its summary and report, however it ends."""
    again = f"tuner sessions resume {session.id} --results {results.folder}"
    with _watcher(sys.stderr, session.plan.budget_s, verbose=verbose) as lines:
        _tell_doubts(lines, session)
        try:
            with Interrupts(lambda: _end_early(session, lines)):
                yield lines
        except KeyboardInterrupt:
            lines.note(f"stopped; every finished run is kept. To continue: {again}")
            raise typer.Exit(1) from None
        finally:
            _write(lines, session, results)
        if session.store.session(session.id).state is State.STOPPED:
            lines.note(f"stopped early. To continue: {again}")


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


def _write(lines: Watch, session: Ongoing, results: Results) -> None:
    """Write the summary of a session, and its report where people show each other such."""
    text = summary(session.store, session.store.session(session.id))
    atomic_file.write(results.summary(session.id), text, follow=False)
    if session.plan.kind in REPORTED:
        _write_report(lines, session, results)


def _write_report(lines: Watch, session: Ongoing, results: Results) -> None:
    """Write the report beside the summary; that it cannot be made is told and takes nothing from the session."""
    try:
        from tuner.report import files

        path = results.report(session.id)
        files.write_html(session.store, session.store.session(session.id), path)
    except Exception as reason:  # noqa: BLE001 - whatever it is, the answer matters more than its picture
        lines.note(f"no report: {type(reason).__name__}: {reason}; to try again: tuner report {session.id}")
    else:
        lines.note(f"report   {path}")
