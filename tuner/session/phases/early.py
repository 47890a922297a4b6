"""Ending early because the user asked: the run in flight is finished, and what the search liked best gets a short proof.

The proof takes at most a fifth of the budget and at most 15 s, because somebody waits for it. Where that is too little
for three blocks nothing is measured any more and nothing is claimed: two blocks have an interval that says nothing, and
having looked at them would spoil the whole confirmation that a resumed session makes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from tuner.hosts.facts import Doubt
from tuner.records import Kind, Phase
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.session import Session
from tuner.session.phases.confirm import confirm
from tuner.session.phases.search import incumbent
from tuner.session.phases.verdict import Answer, Verdict
from tuner.session.setup import budget_shares
from tuner.session.setup.plan import Plan

PROOF_S: Final = 15.0
PROOF_SHARE: Final = 0.20
FEWEST_BLOCKS: Final = 3


def proof_s(plan: Plan) -> float:
    """Return the seconds that a session which is asked to end may still measure after its run in flight."""
    return min(PROOF_S, PROOF_SHARE * plan.budget_s) if plan.kind is Kind.TUNE else 0.0


def end_early(plan: Plan, clock: Clock) -> None:
    """Let a session end soon; called while it runs, from a signal's handler, so it only sets what the clock says."""
    clock.end_in(proof_s(plan))


def confirmed(session: Session) -> Verdict:
    """Return the confirmation's verdict; of a session that was asked to end, what it has of one, and that it is early."""
    if session.clock.hurried and not _provable(session):
        return _unconfirmed(session)
    verdict = confirm(session)
    if not session.clock.hurried or session.ledger.begun(Phase.MINIMISE):
        return verdict
    return (
        _unconfirmed(session) if verdict.answer is Answer.FAILED else replace(verdict, doubts=_doubts(session, verdict))
    )


def finished(answer: dict[str, Any], clock: Clock) -> bool:
    """Return whether a session that ends with this answer is done, so that there is nothing to go on with."""
    return not clock.hurried or answer.get("verdict", Answer.FAILED) != Answer.FAILED


def _provable(session: Session) -> bool:
    have = len(session.ledger.blocks(Phase.CONFIRM))
    lacking_s = (FEWEST_BLOCKS - have) * session.block_cost_s(1)
    return incumbent(session) is not None and session.clock.fits(
        lacking_s, Phase.CONFIRM, budget_shares.confirm_ends(session.plan)
    )


def _unconfirmed(session: Session) -> Verdict:
    leader = incumbent(session)
    found = f"the search liked {leader.profile} best" if leader else "no other profile had been measured"
    why = f"not confirmed: stopped after {session.clock.spent_s():.0f} s of {session.plan.budget_s:.0f} s; {found}"
    return Verdict(Answer.FAILED, None, (), why)


def _doubts(session: Session, verdict: Verdict) -> tuple[Doubt, ...]:
    what = f"stopped after {session.clock.spent_s():.0f} s of {session.plan.budget_s:.0f} s, so the search was shorter"
    return (*verdict.doubts, Doubt(what, "a session of the whole budget may find more; --warm-start begins with this"))
