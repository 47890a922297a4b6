"""Confirm: choose among the best few in fresh blocks, then judge the chosen one in others that nothing has chosen by.

The winner of many noisy trials is partly the luckiest. So the data that choose are not the data that judge: the search
ranks, a first part of the confirmation (phase `choose`) measures the finalists again, and the blocks of phase `confirm`
hold only the chosen one and the baseline. That has two gains over judging all finalists at once in `benchmarks/decisions.py`:
the estimate is not selected for being high, and with one profile to judge there are twice the pairs and no correction
for several. The number of blocks follows from the budget and from earlier data, never from what the blocks
themselves say, so that nobody stops at a lucky moment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from tuner.judging.power import FEWEST_BLOCKS
from tuner.records import Kind, Phase, Trial
from tuner.session.measuring.session import Session
from tuner.session.phases.finalists import earlier_view, finalists, spread, to_judge
from tuner.session.phases.verdict import no_rate_holds, sound, start_of
from tuner.session.setup import budget_shares, policy

# The start is measured beside the winner only when the expected gain is so many times its standard error: it costs
# a third of the blocks. 4 is where 99 of 100 intervals still exclude 1: 1.96 + 2.05.
CLEAR: Final = 4.0


def confirm(session: Session) -> None:
    """Choose a finalist and measure it in fresh blocks until the budget is used."""
    found = [] if no_rate_holds(session.evidence) else finalists(session.evidence)
    if not found:
        return
    _choose(session, found)
    while chosen := to_judge(session.evidence, found):
        _measure(session, [chosen, *_companions(session, chosen)])
        if sound(session.evidence, chosen) or not _room(session, [chosen]):
            return


def _measure(session: Session, contenders: Sequence[Trial]) -> None:
    """Measure the contenders as `repeat` does, but no longer than the first of them runs well; others that fail are left out."""
    _announce(session, contenders)
    while sound(session.evidence, contenders[0]) and _room(session, contenders):
        session.measure_block(Phase.CONFIRM, [trial for trial in contenders if sound(session.evidence, trial)])


def repeat(session: Session, contenders: Sequence[Trial]) -> None:
    """Measure the contenders with the baseline, block by block, until the plan's blocks or its budget are used."""
    _announce(session, contenders)
    while _room(session, contenders):
        session.measure_block(Phase.CONFIRM, contenders)


def _announce(session: Session, contenders: Sequence[Trial]) -> None:
    whole_s = session.plan.blocks * session.evidence.block_cost_s(len(contenders))
    phase = Phase.CONFIRM if contenders else Kind.MEASURE
    session.progress.phase(
        phase, min(whole_s, session.clock.left_s(Phase.CONFIRM, budget_shares.confirm_ends(session.plan)))
    )


def _room(session: Session, contenders: Sequence[Trial]) -> bool:
    if session.ledger.begun(Phase.MINIMISE) or len(session.ledger.blocks(Phase.CONFIRM)) >= session.plan.blocks:
        return False
    if len(session.ledger.blocks(Phase.CONFIRM)) >= FEWEST_BLOCKS and no_rate_holds(session.evidence):
        return False  # more blocks would say the same
    return session.clock.fits(
        session.evidence.block_cost_s(len(contenders)), Phase.CONFIRM, budget_shares.confirm_ends(session.plan)
    )


def _choose(session: Session, found: Sequence[Trial]) -> None:
    """Measure the finalists in blocks until the choosing share of the confirmation is used.

    Nothing is chosen where there is no rival, or where the judging would be left with too few blocks.
    """
    share = budget_shares.choosing_ends(session.plan)
    cost_s = session.evidence.block_cost_s(len(found))
    enough = (
        policy.ENOUGH_BLOCKS * session.evidence.block_cost_s(1)
        <= budget_shares.judging(session.plan) * session.plan.budget_s
    )
    if (
        not found[1:]
        or not enough
        or session.ledger.begun(Phase.CONFIRM)
        or not session.clock.fits(cost_s, Phase.CHOOSE, share)
    ):
        return
    session.progress.phase(Phase.CHOOSE, session.clock.left_s(Phase.CHOOSE, share))
    while session.clock.fits(session.evidence.block_cost_s(len(found)), Phase.CHOOSE, share):
        session.measure_block(Phase.CHOOSE, found)


def _companions(session: Session, chosen: Trial) -> list[Trial]:
    """Return the start, if it is another profile and the chosen one is so good that fewer blocks still show it.

    That is decided by earlier data, so it does not depend on what the blocks will say; a resumed session goes on with
    what the stored blocks hold.
    """
    start = start_of(session.evidence)
    if start is None or start == chosen or not sound(session.evidence, start):
        return []
    if begun := [block for block in session.ledger.blocks(Phase.CONFIRM) if session.ledger.took_part(chosen, block)]:
        return [start] if any(session.ledger.took_part(start, block) for block in begun) else []
    blocks = budget_shares.judging(session.plan) * session.plan.budget_s / session.evidence.block_cost_s(2)
    if session.clock.hurried or blocks < policy.ENOUGH_BLOCKS:
        return []
    return (
        [start] if earlier_view(session.evidence, chosen) > CLEAR * spread(session.evidence) / math.sqrt(blocks) else []
    )
