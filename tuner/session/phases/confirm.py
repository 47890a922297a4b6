"""Confirm: choose among the best few in fresh blocks, then judge the chosen one in others that nothing has chosen by.

The winner of many noisy trials is partly the luckiest. So the data that choose are not the data that judge: the search
ranks, a first part of the confirmation (phase `choose`) measures the finalists again, and the blocks of phase `confirm`
hold only the chosen one, the best known profile and the baseline. So the estimate is not selected for being high, and
few profiles share the blocks. The number of blocks follows from the budget and from earlier data, never from what the blocks
themselves say, so that nobody stops at a lucky moment; a comparison until it is decided looks at them, and pays for it
with a wider interval (`until_decided.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from tuner.judging.power import FEWEST_BLOCKS
from tuner.records import Kind, Phase, Trial
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.session import Session
from tuner.session.phases import until_decided
from tuner.session.phases.finalists import Contest, barely_seen, choosing_ends, finalists, still, to_judge
from tuner.session.phases.verdict import judged_objective, no_rate_holds, sound
from tuner.session.setup import budget_shares, policy


def confirm(session: Session) -> None:
    """Choose who is judged and measure them in fresh blocks until the budget is used."""
    found = [] if no_rate_holds(session.evidence) else finalists(session.evidence)
    if not found:
        return
    _choose(session, found)
    while contest := to_judge(session.evidence, found):
        _measure(session, contest)
        session.finish()
        if sound(session.evidence, contest.main) or not _room(session, [contest.main]):
            return


def _measure(session: Session, contest: Contest) -> None:
    """Measure who is judged as `repeat` does, but no longer than the main one runs well; the other is left out when it fails."""
    _announce(session, contest.contenders(0))
    while sound(session.evidence, contest.main):
        contenders = [trial for trial in _of_next_block(session, contest) if sound(session.evidence, trial)]
        if not _room(session, contenders):
            return
        session.measure_block(Phase.CONFIRM, contenders)


def _of_next_block(session: Session, contest: Contest) -> list[Trial]:
    """Return who is in the next block; only the main one where somebody waits for the end."""
    if session.clock.hurried:
        return [contest.main]
    return contest.contenders(session.begun(Phase.CONFIRM))


def repeat(session: Session, contenders: Sequence[Trial]) -> None:
    """Measure the contenders with the baseline, block by block, until the plan's blocks or its budget are used.

    Where the plan says so, also until what their first is worth is decided.
    """
    _announce(session, contenders)
    while _room(session, contenders) and not _decided(session.evidence, contenders):
        session.measure_block(Phase.CONFIRM, contenders)
    session.finish()


def _decided(evidence: Evidence, contenders: Sequence[Trial]) -> bool:
    """Return whether a comparison until it is decided may end: by the whole objective, not by what was seen often enough yet."""
    if not evidence.plan.until_decided:
        return False
    goal = judged_objective(evidence, contenders[0])
    gains = evidence.gains.confirmed(evidence.baseline.number, contenders[0].number, goal)
    return goal == evidence.objective and until_decided.decided(evidence.plan, gains)


def _announce(session: Session, contenders: Sequence[Trial]) -> None:
    whole_s = budget_shares.most_blocks(session.plan) * session.evidence.block_cost_s(len(contenders))
    phase = Phase.CONFIRM if contenders else Kind.MEASURE
    session.progress.phase(
        phase, min(whole_s, session.clock.left_s(Phase.CONFIRM, budget_shares.confirm_ends(session.plan)))
    )


def _room(session: Session, contenders: Sequence[Trial]) -> bool:
    most = budget_shares.most_blocks(session.plan)
    if session.ledger.begun(Phase.MINIMISE) or session.begun(Phase.CONFIRM) >= most:
        return False
    if len(session.ledger.blocks(Phase.CONFIRM)) >= FEWEST_BLOCKS and no_rate_holds(session.evidence):
        return False  # more blocks would say the same
    return session.clock.fits(
        session.evidence.block_cost_s(len(contenders)), Phase.CONFIRM, budget_shares.confirm_ends(session.plan)
    )


def _choose(session: Session, found: Sequence[Trial]) -> None:
    """Measure the finalists in blocks until one is clearly the best or the choosing share of the confirmation is used.

    Known profiles that were barely seen are in the first of these blocks: one run may have had a hiccup. Nothing is chosen where there is no rival, or where the judging would be left with too few blocks.
    """
    enough = (
        policy.ENOUGH_BLOCKS * session.evidence.block_cost_s(1)
        <= budget_shares.judging(session.plan) * session.plan.budget_s
    )
    if not enough or session.ledger.begun(Phase.CONFIRM):
        return
    again = [trial for trial in barely_seen(session.evidence) if trial not in found]
    looks = len(again) * budget_shares.run_s(session.plan) / session.plan.budget_s
    share = choosing_ends(session.evidence, found[0]) + looks
    session.progress.phase(Phase.CHOOSE, session.clock.left_s(Phase.CHOOSE, share))
    rivals = still(session.evidence, [*found, *again])
    while rivals[1:] and session.clock.fits(session.evidence.block_cost_s(len(rivals)), Phase.CHOOSE, share):
        session.measure_block(Phase.CHOOSE, rivals)
        rivals = still(session.evidence, rivals)
    session.finish()
