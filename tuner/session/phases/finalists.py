"""Which profiles may be the best, and which of them is judged: read from the search's blocks and those that choose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from tuner.judging.statistics import pooled_sd, promise
from tuner.records import Phase, Status, Trial
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases.baseline_shift import seen
from tuner.session.phases.search import ranked
from tuner.session.phases.verdict import sound
from tuner.session.setup import policy

MOST_FINALISTS: Final = 3
# What is known before a profile is judged.
_SEARCHED: Final = (Phase.SEARCH,)
_EARLIER: Final = (Phase.CALIBRATE, Phase.SEARCH, Phase.CHOOSE)


def finalists(evidence: Evidence) -> list[Trial]:
    """Return the trials that may be the best by the search's data, the leader first; the leader alone when it is clear.

    Who clearly breaks a guard is none of them: there may be nobody then.
    Nothing that was measured later counts, so that a resumed session has the same finalists.
    """
    order = ranked(evidence)
    sd = pooled_sd(seen(evidence.gains, trial.number) for trial in order)
    views = {trial.number: promise(seen(evidence.gains, trial.number), sd) for trial in order}
    rivals = [trial for trial in order if views[trial.number][1] >= views[order[0].number][0]]
    return [trial for trial in rivals if not evidence.guarding.breaks(trial.number, _SEARCHED)][:MOST_FINALISTS]


def judged(evidence: Evidence, found: Sequence[Trial]) -> Trial:
    """Return the finalist that the confirmation judges: the chosen one, or, where it failed there, the next that was measured."""
    able = [trial for trial in found if evidence.ledger.status(trial.number, _EARLIER) is Status.OK]
    if not able:
        return found[0]
    chosen = _best(evidence, able)
    while not sound(evidence, chosen):
        able.remove(chosen)
        following = _best(evidence, able) if able else None
        if following is None or Phase.CONFIRM not in evidence.ledger.phases_of(following.number):
            return chosen
        chosen = following
    return chosen


def to_judge(evidence: Evidence, found: Sequence[Trial]) -> Trial | None:
    """Return the finalist to judge, by all the data before the judging; of those as good, one with fewest settings.

    None where none of them runs.
    """
    able = [trial for trial in found if sound(evidence, trial)]
    return _best(evidence, able) if able else None


def _best(evidence: Evidence, able: Sequence[Trial]) -> Trial:
    able = [trial for trial in able if not evidence.guarding.breaks(trial.number, _EARLIER)] or able
    views = {trial.number: earlier_view(evidence, trial) for trial in able}
    bar = max(views.values()) + math.log1p(-policy.AS_GOOD)
    as_good = [trial for trial in able if views[trial.number] >= bar]
    return min(as_good, key=lambda trial: (len(trial.settings), -views[trial.number]))


def earlier_view(evidence: Evidence, trial: Trial) -> float:
    """Return the pessimistic view of a trial's log gain by the blocks of the search and the choosing."""
    return promise(_earlier(evidence, trial), spread(evidence))[0]


def spread(evidence: Evidence) -> float:
    """Return the spread of one block's gain by the same blocks."""
    return pooled_sd(_earlier(evidence, trial) for trial in evidence.ledger.trials[1:])


def _earlier(evidence: Evidence, trial: Trial) -> list[float]:
    return seen(evidence.gains, trial.number) + evidence.gains.of(trial.number, Phase.CHOOSE)
