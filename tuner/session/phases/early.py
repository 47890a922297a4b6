"""Ending early because the user asked: the run in flight is finished, and what the search liked best gets a short proof.

The proof takes at most a fifth of the budget and at most 15 s, because somebody waits for it. Where that is too little
for three blocks nothing is measured any more and nothing is claimed: two blocks have an interval that says nothing, and
having looked at them would spoil the whole confirmation that a resumed session makes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tuner.errors import doubt
from tuner.records import Kind, Phase
from tuner.session.answer import words
from tuner.session.answer.answers import Answer, decision
from tuner.session.answer.parts import Decision
from tuner.session.measuring.clock import Clock, Ending
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.session import Session
from tuner.session.phases.standings import incumbent
from tuner.session.phases.verdict import Verdict
from tuner.session.setup import budget_shares
from tuner.session.setup.plan import Plan

PROOF_S: Final = 15.0
PROOF_SHARE: Final = 0.20
PROOF_BLOCKS: Final = 3


def proof_s(plan: Plan) -> float:
    """Return the seconds that a session which is asked to end may still measure after its run in flight."""
    return min(PROOF_S, PROOF_SHARE * plan.budget_s) if plan.kind is Kind.TUNE else 0.0


def end_early(plan: Plan, clock: Clock) -> None:
    """Let a session end soon; called while it runs, from a signal's handler, so it only sets what the clock says."""
    clock.end_in(proof_s(plan))


def finished(answer: Answer, *, stopped: bool) -> bool:
    """Return whether a session that ends with this answer is done, so that there is nothing to go on with."""
    return not stopped or decision(answer) not in {None, Decision.FAILED}


def provable(session: Session) -> bool:
    """Return whether a session that is asked to end has something to prove, and time for blocks enough to prove it."""
    have = len(session.ledger.blocks(Phase.CONFIRM))
    lacking_s = (PROOF_BLOCKS - have) * session.evidence.block_cost_s(1)
    leader = incumbent(session.evidence)
    return leader is not None and session.clock.fits(lacking_s, Phase.CONFIRM, budget_shares.confirm_ends(session.plan))


def cut_short(evidence: Evidence, verdict: Verdict, ending: Ending) -> Verdict:
    """Return the verdict of a session that was asked to end before it had minimised: with what that means, or none at all."""
    when = words.stopped(ending.spent_s, evidence.plan.budget_s)
    if verdict.answer is Decision.FAILED or len(evidence.ledger.blocks(Phase.CONFIRM)) < PROOF_BLOCKS:
        leader = incumbent(evidence)
        why = words.not_confirmed(when, leader.profile if leader else None)
        return Verdict(Decision.FAILED, None, (), why)
    what = f"{when}, so the search was shorter"
    more = doubt(what, "a session with the whole budget may find more; --warm-start starts from this result")
    return replace(verdict, doubts=(*verdict.doubts, more))
