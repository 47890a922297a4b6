"""A first look: the best bets among the known profiles beside the baseline, before anything is calibrated.

Somebody who waits learns within seconds what polling or the vendor's preset gives here, as a provisional figure. The block is
the first one of the search, made earlier, so that it costs nothing: the search goes on with it.
"""

from __future__ import annotations

import math
from typing import Final

from tuner.judging.statistics import gain
from tuner.records import Phase, Trial
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.session import Session
from tuner.session.phases.baseline_shift import seen
from tuner.session.phases.standings import incumbent
from tuner.session.setup import budget_shares

# With the preparation before it the first figure is there within 15 s, and the rest of the session has its time.
LONGEST_LOOK_S: Final = 12.0
MOST_OF_A_BUDGET: Final = 0.2
# As many as a block of the search holds; fewer where a minute has few runs, most of which are owed to proposals.
MOST_LOOKED_AT: Final = 5
FEW_LOOKED_AT: Final = 2


def look(session: Session) -> None:
    """Measure as many known profiles as there is time for and say which leads; nothing where anything was measured before."""
    trials = [] if session.ledger.runs else _best_bets(session)
    if not trials:
        return
    session.progress.note(f"first look: {', '.join(trial.profile for trial in trials)}")
    session.progress.phase(Phase.SEARCH, (len(trials) + 1) * budget_shares.run_s(session.plan))
    session.measure_everywhere(Phase.SEARCH, trials)
    if leader := incumbent(session.evidence):
        session.progress.best(leader, gain(seen(session.evidence.gains, leader.number)))


def _best_bets(session: Session) -> list[Trial]:
    """Return the known profiles that are looked at, the start first; none where a search over the load takes too long."""
    if session.evidence.objective.limits:
        return []
    longest_s = min(LONGEST_LOOK_S, MOST_OF_A_BUDGET * session.plan.budget_s)
    most = FEW_LOOKED_AT if budget_shares.is_short_of_runs(session.plan) else MOST_LOOKED_AT
    room = min(most, math.floor(longest_s / budget_shares.run_s(session.plan)) - 1)
    known = [session.enter_known(each) for each in session.plan.known] if room > 0 else []
    return [trial for trial in known if trial.invalid is None and trial != session.baseline][:room]


def search_begun(ledger: Ledger) -> bool:
    """Return whether the search went on after its first look, which comes before the calibration."""
    blocks, calibrated = ledger.blocks(Phase.SEARCH), ledger.blocks(Phase.CALIBRATE)
    return bool(blocks) and (blocks[-1] > calibrated[0] if calibrated else len(blocks) > 1)
