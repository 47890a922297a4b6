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
from tuner.session.answer import words
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
    settled = _settled(evidence, contest, ending)
    return replace(settled, believed=probably_better(evidence, settled))


def _settled(evidence: Evidence, contest: Contest, ending: Ending) -> Verdict:
    known = contest.known if contest.known and _measured(evidence, contest.known) else None
    if known is None or known == contest.main:
        return replace(judge(evidence, contest.main, ending), known=known)
    main, beside = _both(evidence, contest.main, known, ending)
    main = replace(main, known=known)
    if beside.answer is Decision.FAILED:
        return main
    chosen = _answered(evidence, main, beside) if _known_wins(evidence, main, beside, known) else main
    over_known = _over_known(evidence, contest.main, known)
    gains = (*main.gains, *beside.gains)
    return replace(chosen, gains=gains, known=known, over_known=over_known)


def _both(evidence: Evidence, found: Trial, known: Trial, ending: Ending) -> tuple[Verdict, Verdict]:
    """Return the verdicts on two profiles, either of which might be claimed.

    Each is judged by an interval that holds together with the other's; where one is shown by it, the other is judged by itself
    (S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979).
    """
    first, second = (judge(evidence, trial, ending, judged=2) for trial in (found, known))
    if first.answer is Decision.IMPROVED and second.answer is Decision.NOT_IMPROVED:
        second = judge(evidence, known, ending)
    elif second.answer is Decision.IMPROVED and first.answer is Decision.NOT_IMPROVED:
        first = judge(evidence, found, ending)
    return first, second


def _measured(evidence: Evidence, trial: Trial) -> bool:
    return sound(evidence, trial) and Phase.CONFIRM in evidence.ledger.phases_of(trial.number)


def _known_wins(evidence: Evidence, main: Verdict, beside: Verdict, known: Trial) -> bool:
    """Return whether the known profile is recommended instead of the found one, of which something is shown.

    Where both are shown to be better, it is unless the found one is probably better than it. Where only the found one is, it is if it
    is itself the better one, more likely than not: what is shown is worth something too.
    """
    if main.winner is None:
        return beside.answer is Decision.IMPROVED
    if beside.answer is Decision.IMPROVED:
        return not worth_leaving(evidence, main.winner, known)
    is_better = worth_leaving(evidence, known, main.winner, policy.LIKELY)
    return is_better and worth_leaving(evidence, known, evidence.baseline, policy.SURELY_BETTER)


def _answered(evidence: Evidence, main: Verdict, beside: Verdict) -> Verdict:
    """Return the verdict on the known profile, which says so where only the other one was shown to be better."""
    if beside.answer is Decision.IMPROVED or main.answer is not Decision.IMPROVED:
        return beside
    found, known = ((trial.profile, gained) for verdict in (main, beside) for trial, gained in verdict.gains)
    return replace(beside, why=words.known_not_shown(evidence.baseline.profile, known, found))


def worth_leaving(evidence: Evidence, found: Trial, known: Trial, surely: float = policy.WORTH_LEAVING) -> bool:
    """Return whether a profile is probably better than another one by more than the margin, by all blocks until the verdict."""
    beliefs = believed(evidence, UNTIL_NOW)
    ahead = beliefs.over(found.settings, known.settings) if beliefs else None
    return ahead is not None and ahead.above(policy.MARGIN) >= surely


def probably_better(evidence: Evidence, verdict: Verdict) -> Trial | None:
    """Return the judged profile that is recommended though it was not shown to be better than the baseline, None of none.

    To keep the baseline has a price too: what a better profile would gain. So what a short budget could not prove is
    recommended, as something believed, where it is probably better by more than the margin. Not where there are guards: that it
    keeps them would be another thing not shown.
    """
    if verdict.answer is not Decision.NOT_IMPROVED or evidence.plan.guards:
        return None
    judged = (trial for trial, gained in verdict.gains if gained.high > 1.0)
    better = [trial for trial in judged if worth_leaving(evidence, trial, evidence.baseline, policy.SURELY_BETTER)]
    if len(better) > 1 and not worth_leaving(
        evidence, better[0], better[1]
    ):  # the first was found, the other is the best known one
        return better[1]
    return next(iter(better), None)


def _over_known(evidence: Evidence, found: Trial, known: Trial) -> Gain | None:
    goal = judged_objective(evidence, found)
    gains = evidence.gains.confirmed(known.number, found.number, goal) if goal.terms else []
    return gain(gains) if len(gains) >= FEWEST_BLOCKS else None
