"""What is recommended: the profile that was found, or the known one beside it, or the baseline.

A profile that was found must be worth leaving what a vendor ships and tests: it is recommended only when it is probably
better than the best known one by more than the margin (`setup/policy.py`), by all blocks until then. What is said of the
recommended one is still the interval of the confirmation's blocks, which chose nothing.
"""

from __future__ import annotations

from dataclasses import replace

from tuner.judging.power import FEWEST_BLOCKS
from tuner.judging.statistics import Gain, gain
from tuner.records import Phase, Trial
from tuner.session.answer.parts import Decision
from tuner.session.measuring.clock import Ending
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases.beliefs import believed
from tuner.session.phases.finalists import Contest
from tuner.session.phases.verdict import Verdict, judge, judged_objective, sound
from tuner.session.setup import policy

UNTIL_NOW = (Phase.SEARCH, Phase.CHOOSE, Phase.CONFIRM)


def settle(evidence: Evidence, contest: Contest, ending: Ending) -> Verdict:
    """Return the verdict on who was judged: that of the recommended one, with what is known of the other."""
    known = contest.known if contest.known and _measured(evidence, contest.known) else None
    main = replace(judge(evidence, contest.main, ending), known=known)
    if known is None or known == contest.main:
        return main
    beside = judge(evidence, known, ending)
    if beside.answer is Decision.FAILED:
        return main
    chosen = beside if _known_wins(evidence, main, beside, known) else main
    over_known = _over_known(evidence, contest.main, known)
    gains = (*main.gains, *beside.gains)
    return replace(chosen, gains=gains, known=known, over_known=over_known)


def _measured(evidence: Evidence, trial: Trial) -> bool:
    return sound(evidence, trial) and Phase.CONFIRM in evidence.ledger.phases_of(trial.number)


def _known_wins(evidence: Evidence, main: Verdict, beside: Verdict, known: Trial) -> bool:
    """Return whether the known profile is recommended: it is shown to be better, and the found one not to be better than it."""
    if beside.answer is not Decision.IMPROVED:
        return False
    return main.winner is None or not worth_leaving(evidence, main.winner, known)


def worth_leaving(evidence: Evidence, found: Trial, known: Trial) -> bool:
    """Return whether a profile is probably better than a known one by more than the margin, by all blocks until the verdict."""
    beliefs = believed(evidence, UNTIL_NOW)
    ahead = beliefs.over(found.settings, known.settings) if beliefs else None
    return ahead is not None and ahead.above(policy.MARGIN) >= policy.WORTH_LEAVING


def _over_known(evidence: Evidence, found: Trial, known: Trial) -> Gain | None:
    goal = judged_objective(evidence, found)
    gains = evidence.gains.confirmed(known.number, found.number, goal) if goal.terms else []
    return gain(gains) if len(gains) >= FEWEST_BLOCKS else None
