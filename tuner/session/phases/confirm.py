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

from tuner.judging.statistics import pooled_sd, promise
from tuner.records import Kind, Phase, Trial
from tuner.session.measuring.session import Session
from tuner.session.phases.baseline_shift import seen
from tuner.session.phases.search import ranked
from tuner.session.phases.verdict import ENOUGH_BLOCKS, FEWEST_BLOCKS, Answer, Verdict, judge, sound, start_of, unmet
from tuner.session.setup import budget_shares

MOST_FINALISTS: Final = 3
# A profile with fewer settings is chosen before one that is better by less than this.
MARGIN: Final = 0.01
# The start is measured beside the winner only when the expected gain is so many times its standard error: it costs
# a third of the blocks. 4 is where 99 of 100 intervals still exclude 1: 1.96 + 2.05.
CLEAR: Final = 4.0


def confirm(session: Session) -> Verdict:
    """Choose a finalist, measure it in fresh blocks until the budget is used, and judge it."""
    if found_none := unmet(session):
        return found_none
    finalists = _finalists(session)
    if not finalists:
        return Verdict(Answer.NOT_IMPROVED, None, (), "no other profile could be measured")
    _choose(session, finalists)
    judged = finalists[0]
    while chosen := _chosen(session, finalists):
        judged = chosen
        _measure(session, [chosen, *_companions(session, chosen)])
        if sound(session, chosen) or not _room(session, [chosen]):
            break
    return judge(session, judged, tuple(finalists))


def _measure(session: Session, contenders: Sequence[Trial]) -> None:
    """Measure the contenders as `repeat` does, but no longer than the first of them runs well; others that fail are left out."""
    _announce(session, contenders)
    while sound(session, contenders[0]) and _room(session, contenders):
        session.measure_block(Phase.CONFIRM, [trial for trial in contenders if sound(session, trial)])


def repeat(session: Session, contenders: Sequence[Trial]) -> None:
    """Measure the contenders with the baseline, block by block, until the plan's blocks or its budget are used."""
    _announce(session, contenders)
    while _room(session, contenders):
        session.measure_block(Phase.CONFIRM, contenders)


def _announce(session: Session, contenders: Sequence[Trial]) -> None:
    whole_s = session.plan.blocks * session.block_cost_s(len(contenders))
    phase = Phase.CONFIRM if contenders else Kind.MEASURE
    session.progress.phase(
        phase, min(whole_s, session.clock.left_s(Phase.CONFIRM, budget_shares.confirm_ends(session.plan)))
    )


def _room(session: Session, contenders: Sequence[Trial]) -> bool:
    if session.ledger.begun(Phase.MINIMISE) or len(session.ledger.blocks(Phase.CONFIRM)) >= session.plan.blocks:
        return False
    if len(session.ledger.blocks(Phase.CONFIRM)) >= FEWEST_BLOCKS and unmet(session):
        return False  # more blocks would say the same
    return session.clock.fits(
        session.block_cost_s(len(contenders)), Phase.CONFIRM, budget_shares.confirm_ends(session.plan)
    )


def _finalists(session: Session) -> list[Trial]:
    """Return the trials that may be the best by the search's data, the leader first; the leader alone when it is clear.

    Nothing that was measured later counts, so that a resumed session has the same finalists.
    """
    order = ranked(session)
    sd = pooled_sd(seen(session.ledger, trial.number) for trial in order)
    views = {trial.number: promise(seen(session.ledger, trial.number), sd) for trial in order}
    rivals = [trial for trial in order if views[trial.number][1] >= views[order[0].number][0]]
    return rivals[:MOST_FINALISTS]


def _choose(session: Session, finalists: Sequence[Trial]) -> None:
    """Measure the finalists in blocks until the choosing share of the confirmation is used.

    Nothing is chosen where there is no rival, or where the judging would be left with too few blocks.
    """
    share = budget_shares.choosing_ends(session.plan)
    cost_s = session.block_cost_s(len(finalists))
    enough = ENOUGH_BLOCKS * session.block_cost_s(1) <= budget_shares.judging(session.plan) * session.plan.budget_s
    if (
        not finalists[1:]
        or not enough
        or session.ledger.begun(Phase.CONFIRM)
        or not session.clock.fits(cost_s, Phase.CHOOSE, share)
    ):
        return
    session.progress.phase(Phase.CHOOSE, session.clock.left_s(Phase.CHOOSE, share))
    while session.clock.fits(session.block_cost_s(len(finalists)), Phase.CHOOSE, share):
        session.measure_block(Phase.CHOOSE, finalists)


def _chosen(session: Session, finalists: Sequence[Trial]) -> Trial | None:
    """Return the finalist to judge, by all the data before the judging; of those as good, one with fewest settings."""
    able = [trial for trial in finalists if sound(session, trial)]
    if not able:
        return None
    views = {trial.number: _earlier_view(session, trial) for trial in able}
    bar = max(views.values()) + math.log1p(-MARGIN)
    as_good = [trial for trial in able if views[trial.number] >= bar]
    return min(as_good, key=lambda trial: (len(trial.settings), -views[trial.number]))


def _earlier_view(session: Session, trial: Trial) -> float:
    """Return the pessimistic view of a trial's log gain by the blocks of the search and the choosing."""
    return promise(_earlier(session, trial), _sd(session))[0]


def _earlier(session: Session, trial: Trial) -> list[float]:
    return seen(session.ledger, trial.number) + session.ledger.gains(trial.number, Phase.CHOOSE)


def _sd(session: Session) -> float:
    return pooled_sd(_earlier(session, trial) for trial in session.ledger.trials[1:])


def _companions(session: Session, chosen: Trial) -> list[Trial]:
    """Return the start, if it is another profile and the chosen one is so good that fewer blocks still show it.

    That is decided by earlier data, so it does not depend on what the blocks will say; a resumed session goes on with
    what the stored blocks hold.
    """
    start = start_of(session)
    if start is None or start == chosen or not sound(session, start):
        return []
    if begun := [block for block in session.ledger.blocks(Phase.CONFIRM) if session.ledger.took_part(chosen, block)]:
        return [start] if any(session.ledger.took_part(start, block) for block in begun) else []
    blocks = budget_shares.judging(session.plan) * session.plan.budget_s / session.block_cost_s(2)
    if session.clock.hurried or blocks < ENOUGH_BLOCKS:
        return []
    return [start] if _earlier_view(session, chosen) > CLEAR * _sd(session) / math.sqrt(blocks) else []
