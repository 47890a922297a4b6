"""One tuning from first block to verdict; going on with an interrupted one is the same thing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tuner import __version__
from tuner.errors import TunerError, UsageError
from tuner.judging.slo import redundant
from tuner.measure.run import Rig
from tuner.records import Kind, Phase, Role, State
from tuner.results import Results
from tuner.session.answer import counters, proposals
from tuner.session.measuring import quarantine
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.progress import Progress
from tuner.session.measuring.session import Session
from tuner.session.phases import clear_lead, run_length
from tuner.session.phases.calibrate import calibrate, noise
from tuner.session.phases.confirm import repeat
from tuner.session.phases.early import confirmed, finished
from tuner.session.phases.emit import comparison, described, emit, minimisation
from tuner.session.phases.minimise import Minimised, minimise
from tuner.session.phases.prior import recalled
from tuner.session.phases.propose import check_runnable, optimizer_for, search_space
from tuner.session.phases.search import search
from tuner.session.phases.verdict import Answer, Verdict, doubted, judge, judged_objective, unmet
from tuner.session.setup import budget_shares
from tuner.session.setup.plan import Plan
from tuner.store import Store


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a tuning works with, beside its plan."""

    store: Store
    results: Results
    rig: Rig
    progress: Progress


def begin(store: Store, plan: Plan, facts: Mapping[str, Any]) -> str:
    """Store a new session and return its id, which says when it began and what it is for.

    Raise `UsageError` or `MissingTool` before anything is stored when its search cannot be made.
    """
    if plan.kind is Kind.TUNE:
        optimizer_for(plan)
        check_runnable(plan)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    session_id = f"{stamp}-{plan.kind}-{plan.stack}-{plan.objective.word}-{secrets.token_hex(2)}"
    store.add_session(session_id, plan.to_dict(), {**facts, "tuner": __version__})
    return session_id


def carry_out(tuning: Tuning, plan: Plan, session_id: str, clock: Clock) -> dict[str, Any]:
    """Carry out the session that the store holds under `session_id`, or go on with it; return its answer as JSON.

    Whatever happens, what was measured is in the store and the session's state says how it ended.
    """
    try:
        answer = _phases(tuning, plan, session_id, clock)
        answer |= counters.found_in(tuning.store.runs(session_id), plan.stack)
    except TunerError as reason:
        failed = {"session": session_id, "verdict": "failed", "why": reason.message}
        tuning.store.close_session(session_id, State.FAILED, clock.spent_s(), failed)
        raise
    except BaseException:
        tuning.store.close_session(session_id, State.STOPPED, clock.spent_s(), None)
        raise
    tuning.store.close_session(
        session_id, State.DONE if finished(answer, clock) else State.STOPPED, clock.spent_s(), answer
    )
    return answer


def _phases(tuning: Tuning, plan: Plan, session_id: str, clock: Clock) -> dict[str, Any]:
    ledger = Ledger(tuning.store, session_id, plan.objective)
    ledger.enter(plan.baseline.profile, plan.baseline.settings, Role.BASELINE)
    session = Session(plan, tuning.rig, ledger, clock, tuning.progress)
    for line in redundant(ledger.objective.limits):
        tuning.progress.note(line)
    match plan.kind:
        case Kind.MEASURE:
            repeat(session, [])
            none = unmet(session)
            why = {"why": none.why} if none else {}
            return described(ledger, session.baseline) | why | quarantine.found_in(ledger.runs)
        case Kind.CALIBRATE:
            calibrate(session)
            return noise(session)
        case Kind.COMPARE:
            return _compare(session)
        case Kind.MINIMISE:
            return _minimise(session, tuning.results)
        case _:
            return _tune(session, tuning.store, tuning.results)


def _compare(session: Session) -> dict[str, Any]:
    other = session.ledger.enter(session.plan.known[0].profile, session.plan.known[0].settings, Role.KNOWN)
    if other == session.baseline:
        raise UsageError(f"{session.plan.known[0].profile} and {session.baseline.profile} have the same settings")
    repeat(session, [other])
    return comparison(session, judge(session, other), other)


def _tune(session: Session, store: Store, results: Results) -> dict[str, Any]:
    calibrate(session)
    plan = run_length.fitted(session)
    session = _replanned(session, store, plan, run_length.words(plan.lengthened))
    optimizer = optimizer_for(session.plan, session.proposals)
    left_out = search_space(session.plan).left_out
    for line in left_out:
        session.progress.note(line)
    prior = recalled(store, session.plan)
    if session.plan.warm_start is not None:
        session.progress.note(str(prior))
    prior.teach(optimizer)
    search(session, optimizer)
    plan = clear_lead.hastened(session)
    session = _replanned(session, store, plan, clear_lead.words(plan.clear_lead))
    searched = proposals.found_in(session, left_out)
    verdict = doubted(confirmed(session), () if unmet(session) else proposals.doubts(searched))
    shorter = _shortened(session, verdict)
    folder = results.of(session.ledger.session)
    folder.mkdir(parents=True, exist_ok=True)
    used = None if session.plan.warm_start is None else prior.to_dict()
    return emit(session, verdict, shorter, folder) | {"warm_start": used, "proposals": searched}


def _replanned(session: Session, store: Store, plan: Plan, why: str) -> Session:
    """Return the session with what its own data changed in its plan, which the store then holds too."""
    if plan is session.plan:
        return session
    session.progress.note(why)
    store.replan(session.ledger.session, plan.to_dict())
    return replace(session, plan=plan)


def _shortened(session: Session, verdict: Verdict) -> Minimised | None:
    """Return the winner minimised, None where there is no winner, nothing to leave out, or no budget for it."""
    winner = verdict.winner
    if verdict.answer is not Answer.IMPROVED or winner is None or not winner.settings:
        return None
    if budget_shares.confirm_ends(session.plan) >= 1.0 or (
        session.clock.hurried and not session.ledger.begun(Phase.MINIMISE)
    ):
        return None
    return minimise(session, winner, judged_objective(session, winner), proven=True)


def _minimise(session: Session, results: Results) -> dict[str, Any]:
    named = session.plan.known[0]
    original = session.ledger.enter(named.profile, named.settings, Role.KNOWN)
    shorter = minimise(session, original, session.ledger.objective, proven=False)
    folder = results.of(session.ledger.session)
    folder.mkdir(parents=True, exist_ok=True)
    return minimisation(session, shorter, folder)
