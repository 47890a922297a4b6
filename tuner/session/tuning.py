"""One tuning from first block to verdict; going on with an interrupted one is the same thing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tuner.errors import HostLost, StoreError, TunerError
from tuner.judging import linear_algebra
from tuner.judging.slo import redundant
from tuner.records import Kind, Role, State
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.session.answer.answers import Answer, Failure
from tuner.session.answer.parts import WarmStart
from tuner.session.answering import answer, compared, to_minimise
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.journal import Journal
from tuner.session.measuring.pairs import Pairs
from tuner.session.measuring.patience import Patience, waited_s
from tuner.session.measuring.progress import Progress
from tuner.session.measuring.session import Session
from tuner.session.phases import clear_lead, run_length
from tuner.session.phases.another_minute import longer, outlook
from tuner.session.phases.calibrate import calibrate
from tuner.session.phases.confirm import confirm, repeat
from tuner.session.phases.early import finished, provable
from tuner.session.phases.emit import emit
from tuner.session.phases.first_look import look
from tuner.session.phases.minimise import minimise
from tuner.session.phases.prior import load_prior
from tuner.session.phases.propose import check_runnable, optimizer_for, search_space
from tuner.session.phases.search import search
from tuner.session.phases.verdict import judged_objective
from tuner.session.setup.plan import Plan
from tuner.store import Store
from tuner.version import __version__


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a tuning works with, beside its plan."""

    store: Store
    results: Results
    rig: Rig
    progress: Progress
    pairs: Pairs | None = None
    """The pairs of hosts that measure at once, None where there is one."""


def begin(store: Store, plan: Plan, facts: Mapping[str, Any]) -> str:
    """Store a new session and return its id, which says when it began and what it is for.

    Raise `UsageError` or `MissingTool` before anything is stored when its search cannot be made.
    """
    linear_algebra.ready()
    if plan.kind is Kind.TUNE:
        optimizer_for(plan)
        check_runnable(plan)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    session_id = f"{stamp}-{plan.kind}-{plan.stack}-{plan.objective.word}-{secrets.token_hex(2)}"
    store.add_session(session_id, plan.to_dict(), {**facts, "tuner": __version__})
    return session_id


def carry_out(tuning: Tuning, plan: Plan, session_id: str, clock: Clock) -> Answer:
    """Carry out the session that the store holds under `session_id`, or go on with it; return its answer.

    Whatever happens, what was measured is in the store and the session's state says how it ended.
    """
    store = tuning.store
    try:
        linear_algebra.ready()
        evidence = _measured(tuning, plan, session_id, clock)
        ending = clock.ending()
        found = answer(evidence, ending, _used(store, evidence.plan))
        found = emit(evidence, found, tuning.results)
    except StoreError:
        # What measured is not at fault: the session goes on when the store can be written again.
        with suppress(StoreError):
            store.close_session(session_id, State.STOPPED, clock.spent_s(), None)
        raise
    except HostLost:
        store.close_session(session_id, State.STOPPED, clock.spent_s(), None)
        raise
    except TunerError as reason:
        failed = Failure(session_id, reason.message)
        store.close_session(session_id, State.FAILED, clock.spent_s(), failed.to_dict())
        raise
    except BaseException:
        store.close_session(session_id, State.STOPPED, clock.spent_s(), None)
        raise
    state = State.DONE if finished(found, stopped=ending.stopped) else State.STOPPED
    store.close_session(session_id, state, ending.spent_s, found.to_dict())
    return found


def _used(store: Store, plan: Plan) -> WarmStart | None:
    return None if plan.warm_start is None else load_prior(store, plan).used()


def _measured(tuning: Tuning, plan: Plan, session_id: str, clock: Clock) -> Evidence:
    """Measure everything that a session is for; return what it has then, with the plan as its own data changed it."""
    journal = Journal.resumed(tuning.store, session_id)
    journal.enter(plan.baseline.profile, plan.baseline.settings, Role.BASELINE)
    patience = Patience(plan.wait_for_calm_s - waited_s(journal.ledger.runs))
    evidence = Evidence(plan, journal.ledger)
    session = Session(evidence, journal, tuning.rig, clock, tuning.progress, patience=patience, pairs=tuning.pairs)
    for line in redundant(session.evidence.objective.limits):
        tuning.progress.note(line)
    match plan.kind:
        case Kind.MEASURE:
            repeat(session, [])
        case Kind.CALIBRATE:
            calibrate(session)
        case Kind.COMPARE:
            _compare(session)
        case Kind.MINIMISE:
            _minimise(session)
        case Kind.TUNE:
            session = _tune(session)
    return session.evidence


def _compare(session: Session) -> None:
    named = session.plan.known[0]
    session.journal.enter(named.profile, named.settings, Role.KNOWN)
    repeat(session, [compared(session.evidence)])


def _minimise(session: Session) -> None:
    named = session.plan.known[0]
    original = session.journal.enter(named.profile, named.settings, Role.KNOWN)
    minimise(session, original, session.evidence.objective)


def _tune(session: Session) -> Session:
    """Measure what a tuning needs; return the session with its last plan."""
    look(session)
    calibrate(session)
    plan = run_length.with_run_length(session.evidence)
    session = _replanned(session, plan, run_length.words(plan.lengthened))
    for line in search_space(session.plan).left_out:
        session.progress.note(line)
    if session.plan.warm_start is not None:
        session.progress.note(str(load_prior(session.journal.store, session.plan)))
    session = _searched(session)
    plan = session.plan if session.clock.hurried else clear_lead.with_short_confirmation(session.evidence)
    if plan is not session.plan:
        session = _replanned(session, plan, clear_lead.words(plan.clear_lead))
        _search(session)  # goes on where it was, as a resumed session does
    if not session.clock.hurried or provable(session):
        confirm(session)
    if winner := to_minimise(session.evidence, session.clock.ending()):
        minimise(session, winner, judged_objective(session.evidence, winner))
    return session


def _searched(session: Session) -> Session:
    """Search; without a budget, as long as another minute is expected to bring something."""
    _search(session)
    while not session.clock.hurried and not session.proposals.used_up and (found := outlook(session.evidence)):
        if not found.worth_it:
            session.progress.note(found.words(session.plan))
            break
        plan = longer(session.plan)
        session = _replanned(session, plan, found.words(plan))
        session.clock.lengthen(plan.budget_s)
        _search(session)
    return session


def _search(session: Session) -> None:
    optimizer = optimizer_for(session.plan, session.proposals)
    load_prior(session.journal.store, session.plan).teach(optimizer)
    search(session, optimizer)
    session.settle()


def _replanned(session: Session, plan: Plan, why: str) -> Session:
    """Return the session with what its own data changed in its plan, which the store then holds too."""
    if plan is session.plan:
        return session
    session.progress.note(why)
    session.journal.store.replan(session.ledger.session, plan.to_dict())
    return replace(session, evidence=session.evidence.replanned(plan))
