"""Carrying out a session for a command: the store, the host, the progress, Ctrl-C, and the summary at the end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import typer

from tuner import atomic_file
from tuner.cli.screen.interrupts import Interrupts
from tuner.errors import UsageError, doubt_to_json
from tuner.records import Kind, State
from tuner.results import Results

if TYPE_CHECKING:  # these load the database and the search: only when a session is carried out
    from tuner.cli.screen.progress import Lines
    from tuner.hosts.host import Host
    from tuner.records import StoredSession
    from tuner.session.answer.answers import Answer
    from tuner.session.measuring.clock import Clock
    from tuner.session.setup.plan import Plan
    from tuner.session.setup.prepare import Request
    from tuner.store import Store

# Kinds of sessions that end in an answer people show each other.
REPORTED: Final = (Kind.TUNE, Kind.COMPARE, Kind.MINIMISE)


def carry_out(request: Request, results: Results) -> Answer:
    """Prepare and carry out what was asked, write its summary, and return the answer."""
    from tuner.hosts.local import LocalHost
    from tuner.profiles.library import shelves
    from tuner.session import tuning
    from tuner.session.measuring.clock import Clock
    from tuner.session.phases import prior
    from tuner.session.setup import prepare, rule_file
    from tuner.store import Store

    clock = Clock.start(request.budget_s)
    host = LocalHost()
    plan = prepare.plan(request, host, shelves(os.environ, Path.cwd()))
    store = Store(results.url)
    facts = host_facts(plan.stack, host)
    facts["doubts"] += map(doubt_to_json, rule_file.doubts(plan))
    plan = prior.warmed(store, plan, facts)
    session = tuning.begin(store, plan, facts)
    return _watched(store, results, host, plan, session, clock)


def resume(results: Results, session: str) -> Answer:
    """Go on with an interrupted session within what is left of its budget; a finished one answers as it did."""
    from tuner.hosts.local import LocalHost
    from tuner.session.answer.stored import answer_of
    from tuner.session.measuring.clock import Clock
    from tuner.session.setup.plan import Plan
    from tuner.store import Store

    store = Store.existing(results)
    row = store.session(session)
    if row.state is State.DONE and (known := answer_of(row)) is not None:
        return known
    plan = Plan.from_dict(row.plan)
    if row.spent_s >= plan.budget_s and not store.runs(row.id):
        raise UsageError(f"session {row.id} has used its budget and measured nothing", advice="start a new one")
    return _watched(store, results, LocalHost(), plan, row.id, Clock.start(plan.budget_s, row.spent_s))


def _watched(store: Store, results: Results, host: Host, plan: Plan, session: str, clock: Clock) -> Answer:
    from tuner.hosts.pair import on_one
    from tuner.report.summary import summary
    from tuner.session import tuning
    from tuner.session.phases import early
    from tuner.session.setup import prepare

    on = f"tuner sessions resume {session} --results {results.folder}"
    with _watcher(sys.stderr, plan.budget_s) as watch:
        _tell_doubts(watch, store.session(session))
        try:
            with Interrupts(lambda: _end_early(plan, clock, watch)):
                answer = tuning.carry_out(
                    tuning.Tuning(store, results, prepare.rig(plan, on_one(host)), watch), plan, session, clock
                )
        except KeyboardInterrupt:
            watch.note(f"stopped; every finished run is kept: {on}")
            raise typer.Exit(1) from None
        finally:
            atomic_file.write(results.summary(session), summary(store, store.session(session)))
            if plan.kind in REPORTED:
                _write_report(watch, store, results, session)
        if not early.finished(answer, stopped=clock.hurried):
            watch.note(f"stopped early; go on with: {on}")
    return answer


def _watcher(stream: TextIO, budget_s: float) -> Lines:
    """Return a live view when `stream` is a terminal that can be drawn on, plain lines otherwise."""
    from tuner.cli.screen.progress import Lines
    from tuner.cli.screen.terminal import terminal

    found = terminal(stream, os.environ)
    if found is None or not found.draws:
        return Lines(stream, found)
    from tuner.cli.screen.live import Live

    return Live(found, budget_s)


def _end_early(plan: Plan, clock: Clock, watch: Lines) -> None:
    from tuner.session.phases import early

    early.end_early(plan, clock)
    proof_s = early.proof_s(plan)
    then = (
        f"what is best so far is confirmed for up to {proof_s:.0f} s"
        if proof_s
        else "the answer comes from what there is"
    )
    watch.urgent(f"stopping: the run in flight ends, then {then}; Ctrl-C again stops now, and everything is kept")


def _write_report(watch: Lines, store: Store, results: Results, session: str) -> None:
    """Write the report beside the summary; that it cannot be made is told and takes nothing from the session."""
    try:
        from tuner.report import files

        path = results.report(session)
        files.write_html(store, store.session(session), path)
    except Exception as reason:  # noqa: BLE001 - whatever it is, the answer matters more than its picture
        watch.note(f"no report: {type(reason).__name__}: {reason}; tuner report {session} tries again")
    else:
        watch.note(f"report   {path}")


def _tell_doubts(watch: Lines, session: StoredSession) -> None:
    watch.note(f"session {session.id}")
    for doubt in session.facts.get("doubts", ()):
        watch.note(f"  doubt: {doubt['what']} ({doubt['advice']})")


def host_facts(stack: str, host: Host) -> dict[str, Any]:
    """Return what a host is and the reasons to distrust it, as JSON-ready values."""
    from tuner.catalogue import facts as stack_facts
    from tuner.hosts import facts

    found = host.facts()
    return found.to_dict() | {
        "doubts": list(map(doubt_to_json, facts.doubts(found, needs_hugepages=stack_facts.load(stack).bypass)))
    }
