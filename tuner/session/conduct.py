"""A session in its workspace: a request is prepared and begun, or a stored one gone on with, and then carried out."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.catalogue import places
from tuner.errors import Finding, UsageError, doubt_to_json
from tuner.hosts.host import Turn
from tuner.hosts.pair import Pair
from tuner.intake.reference import said_of
from tuner.records import State, StoredSession
from tuner.session import alone, tuning
from tuner.session.answer.answers import Answer
from tuner.session.answer.stored import answer_of
from tuner.session.measuring.clock import Clock
from tuner.session.phases import prior
from tuner.session.setup import (
    fitting,
    multicast,
    os_sockets,
    preflight,
    prepare,
    readback,
    rehearsal,
    resumption,
    rule_file,
)
from tuner.session.setup.plan import Plan
from tuner.session.setup.request import Request
from tuner.session.setup.resumption import Named
from tuner.session.tuning import Tuning
from tuner.session.workspace import Ongoing, Workspace
from tuner.store import Store


def carried_out(request: Request, at: Workspace) -> Answer:
    """Return the answer of a new session.

    Raise `TunerError` when it cannot begin or fails, and let `KeyboardInterrupt` through; each run that ended is stored.
    """
    with places.using(at.data):
        clock = at.clock(request.budget_s)
        plan = prepare.plan(request, at.pair, at.shelves)
        what = f"{plan.kind} {plan.stack}"
        with alone.turn(at.pair, what, clock, at.note, wait=request.setup.wait_for_turn) as turn:
            session = _begun(request, plan, clock, at)
            _name(turn, session)
            with alone.of_session(at.locked_results, session.id), session.store.writing(session.id):
                return _watched(session, at)


def gone_on_with(session: str, named: Named, at: Workspace) -> Answer:
    """Return the answer of a stored session, gone on with within what is left of its budget unless it was finished.

    `session` is an id, a beginning that only one id has, or `latest`. What is started is `named`, and never what the
    store says. Raises as `carried_out`.
    """
    with places.using(at.data):
        store = at.existing_store()
        row = store.session(session)
        known = answer_of(row) if row.state is State.DONE else None
        if known:
            return known
        with alone.of_session(at.locked_results, row.id), store.writing(row.id):
            row = store.session(row.id)  # as who had it before has left it
            plan, differs = resumption.on_hosts(Plan.from_dict(row.plan), store.trials(row.id), named, at.pair)
            going_on = _again(row, plan, store, at)
            what = f"session {row.id}"
            with alone.turn(at.pair, what, going_on.clock, at.note, wait=named.wait_for_turn):
                return _watched(going_on, at, [*store.moved(row), *differs])


def _name(turn: Turn | None, session: Ongoing) -> None:
    if turn:
        turn.say(f"session {session.id}")


def _begun(request: Request, plan: Plan, clock: Clock, at: Workspace) -> Ongoing:
    """Return a new session, of which nothing is measured yet."""
    if any(each.recipe for each in plan.workloads):
        plan = rehearsal.rehearsed(plan, prepare.rig(plan, at.pair))
        prepare.check_budget(plan.kind, plan.budget_s, plan.objective, plan.workloads, fast_start=plan.fast_start)
    store = at.store()
    began_s = clock.now()
    facts = _facts(plan, at.pair, said_of((request.profile, request.other), request.task.stack))
    clock.hold(clock.now() - began_s)  # a look at the host takes half a second, which would be a run less
    plan = prior.with_prior_sessions(store, plan, facts)
    return Ongoing(tuning.begin(store, plan, facts), plan, store, clock)


def _again(row: StoredSession, plan: Plan, store: Store, at: Workspace) -> Ongoing:
    """Return a stored session with what is left of its budget; raise `UsageError` when that is nothing to go on with."""
    if row.spent_s >= plan.budget_s and not store.runs(row.id):
        raise UsageError(f"session {row.id} has used its budget and measured nothing", advice="start a new one")
    return Ongoing(row.id, plan, store, at.clock(plan.budget_s, row.spent_s))


def _facts(plan: Plan, pair: Pair, said: Sequence[Finding]) -> dict[str, object]:
    """Return what the hosts are, and the reasons for doubt: their own, the rule file, the release, what was `said` of files."""
    found = preflight.facts_of(plan, pair)
    hanging = preflight.hangs(plan.stack, plan.release, str(found.get("system", "")))
    of_release = (*readback.doubts(plan.stack, plan.release), *fitting.doubts(plan), *hanging)
    ours = (*rule_file.doubts(plan), *of_release, *os_sockets.doubts(plan), *multicast.doubts(plan), *said)
    return {**found, "doubts": [*found["doubts"], *map(doubt_to_json, ours)]}


def _watched(session: Ongoing, at: Workspace, differs: Sequence[str] = ()) -> Answer:
    with at.watch(session) as progress:
        session.store.tell(progress.note)
        for line in differs:
            progress.note(line)
        rig = prepare.rig(session.plan, at.pair)
        made = Tuning(session.store, at.results, rig, progress)
        return tuning.carry_out(made, session.plan, session.id, session.clock)
