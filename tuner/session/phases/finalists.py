"""Which profiles may be the best, and which of them are judged: believed from the blocks of the search and those that choose."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tuner.judging.joint import Difference
from tuner.records import Phase, Role, Status, Trial
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases import lean
from tuner.session.phases.beliefs import Beliefs, believed, updated
from tuner.session.phases.standings import ranked, spread
from tuner.session.phases.verdict import sound
from tuner.session.setup import budget_shares, policy

MOST_FINALISTS: Final = 3
# A profile is no rival of the leader when it is better than it with less than this probability.
A_CHANCE: Final = 0.1
# The blocks by which a known profile may be left out before the judging. With one of them, which a hiccup had spoiled, in the rows
# preset-5 and preset-10 of `benchmarks/advice.py` 13 of 256 sessions recommended what is 5 to 9 % worse than the preset.
SEEN_ENOUGH: Final = 2
# The best known profile is in every block where it is the better one with at least this probability, as it is believed or by
# its own blocks alone, else in every third: then its place is clear, and what a block costs is better spent on what is claimed.
CLOSE: Final = 0.05
SELDOM: Final = 3
# The judging has no fewer blocks than these, and as many as show a gain at this many times its standard error: 4 is where 99
# of 100 intervals still exclude 1 (1.96 + 2.05).
JUDGING_BLOCKS: Final = 12
CLEAR: Final = 4.0
# What is known before a profile is judged.
EARLIER: Final = (Phase.SEARCH, Phase.CHOOSE)


@dataclass(frozen=True, slots=True)
class Contest:
    """Who is judged: the best profile that was found, the best that was known, or the one beside the other.

    `known` is in each `every`-th block of the confirmation; it is all that is judged where nothing found may be better.
    """

    found: Trial | None
    known: Trial | None
    every: int = 1

    @property
    def main(self) -> Trial:
        """The profile that is in every block."""
        main = self.found or self.known
        if main is None:
            raise AssertionError("a contest has a profile")
        return main

    def contenders(self, block: int) -> list[Trial]:
        """Return who is measured in the confirmation's block of this number, from 0."""
        beside = self.known if self.known and block % self.every == 0 else None
        return list(dict.fromkeys(each for each in (self.found, beside) if each))


def finalists(evidence: Evidence) -> list[Trial]:
    """Return the trials that may be the best by the search's data, the leader first; the leader alone when it is clear.

    Who is seen to lead the search is among them when it has a chance, and so is the best known profile, in the fourth place
    if need be. Who clearly breaks a guard is none of them: there may be nobody then.
    Nothing that was measured later counts, so that a resumed session has the same finalists.
    """
    able = [trial for trial in ranked(evidence) if not evidence.guarding.breaks(trial.number, (Phase.SEARCH,))]
    order = _by_belief(evidence, able, (Phase.SEARCH,))
    known = [trial for trial in order if trial.role is Role.KNOWN][:1]
    leader = order[:1]

    def with_a_chance(trials: Sequence[Trial]) -> list[Trial]:
        others = (trial for trial in dict.fromkeys(trials) if trial not in leader)
        return [trial for trial in others if _has_a_chance(evidence, trial, *leader)]

    # The three that the model likes best are often alike: who is seen to lead is among them in any case.
    rivals = with_a_chance([*able[:1], *order[1:MOST_FINALISTS]])[: MOST_FINALISTS - 1]
    return [*leader, *dict.fromkeys([*rivals, *with_a_chance(known)])]


def choosing_ends(evidence: Evidence, leader: Trial) -> float:
    """Return the share of the budget at which the choosing ends: later where few blocks will show the leader's gain.

    By the search's data alone. What a large gain does not need to be shown, finding the best of several profiles can use.
    """
    ends, plan = budget_shares.choosing_ends(evidence.plan), evidence.plan
    beliefs = believed(evidence, (Phase.SEARCH,))
    blocks = blocks_to_show(beliefs, leader) if beliefs else None
    if blocks is None:
        return ends
    return max(ends, budget_shares.confirm_ends(plan) - 3 * blocks * budget_shares.run_s(plan) / plan.budget_s)


def blocks_to_show(beliefs: Beliefs, leader: Trial) -> int | None:
    """Return how many blocks should show that a profile is better than the baseline, None where it may be no better."""
    seen = beliefs.gain(leader.settings)
    low = seen.mean - seen.sd
    return max(JUDGING_BLOCKS, math.ceil((CLEAR * beliefs.spread / low) ** 2)) if low > 0.0 else None


def barely_seen(evidence: Evidence) -> list[Trial]:
    """Return the known profiles that ran well in the search and were seen there once, as many as there is time to see again."""
    able = (trial for trial in ranked(evidence) if not evidence.guarding.breaks(trial.number, (Phase.SEARCH,)))
    known = [trial for trial in able if trial.role is Role.KNOWN and _is_barely_seen(evidence, trial)]
    return known[: budget_shares.second_looks_at_known(evidence.plan)]


def _is_barely_seen(evidence: Evidence, trial: Trial) -> bool:
    """Return whether a trial was measured in too few blocks before the judging to say that it is none of the best."""
    blocks = {run.block for run in evidence.ledger.runs_of(trial.number) if run.phase in EARLIER}
    return len(blocks) < SEEN_ENOUGH


def still(evidence: Evidence, found: Sequence[Trial]) -> list[Trial]:
    """Return those of the trials that may be the best, by the blocks of the search and those that chose so far.

    A known profile that was barely seen is among them in any case.
    """
    search = believed(evidence, (Phase.SEARCH,))
    if search is None:
        return list(found)
    belief = updated(evidence, search, EARLIER).of([trial.settings for trial in found])
    leader = int(belief.mean.argmax())
    chances = [belief.over(place, leader).above(0.0) if place != leader else 1.0 for place in range(len(found))]
    return [
        trial
        for trial, chance in zip(found, chances, strict=True)
        if chance >= CLOSE or (trial.role is Role.KNOWN and _is_barely_seen(evidence, trial))
    ]


def _has_a_chance(evidence: Evidence, trial: Trial, leader: Trial) -> bool:
    return _over(evidence, trial, leader, (Phase.SEARCH,)).above(0.0) >= A_CHANCE


def judged(evidence: Evidence, found: Sequence[Trial]) -> Contest:
    """Return who was judged in the confirmation: those chosen, or, where the main one failed there, the next that was measured."""
    able = [trial for trial in _all(evidence, found) if evidence.ledger.status(trial.number, EARLIER) is Status.OK]
    if not able:
        return Contest(found[0], None)
    chosen = _contest(evidence, able)
    while not sound(evidence, chosen.main):
        able = [trial for trial in able if trial != chosen.main]
        following = _contest(evidence, able) if able else None
        if following is None or Phase.CONFIRM not in evidence.ledger.phases_of(following.main.number):
            return chosen
        chosen = following
    return chosen


def to_judge(evidence: Evidence, found: Sequence[Trial]) -> Contest | None:
    """Return who is to be judged, by all the data before the judging; None where nothing runs."""
    able = [trial for trial in _all(evidence, found) if sound(evidence, trial)]
    return _contest(evidence, able) if able else None


def _all(evidence: Evidence, found: Sequence[Trial]) -> list[Trial]:
    """Return the finalists and the known profiles that were measured, without the baseline."""
    ledger = evidence.ledger
    known = (trial for trial in ledger.trials[1:] if trial.role is Role.KNOWN and ledger.phases_of(trial.number))
    return list(dict.fromkeys([*found, *known]))


def _contest(evidence: Evidence, able: Sequence[Trial]) -> Contest:
    """Return the best that was found and the best that was known, less who has no chance against the other.

    Where there is no time for both in each block, what was found is judged only if it is probably worth it already.
    """
    known = _best(evidence, [trial for trial in able if trial.role is Role.KNOWN])
    found = _best(evidence, [trial for trial in able if trial.role is not Role.KNOWN])
    if found is None or known is None:
        return Contest(found, known)
    ahead = _over(evidence, found, known, EARLIER)
    clear = ahead.above(0.0) >= 1.0 - CLOSE and _as_seen(evidence, known, found).above(0.0) < CLOSE
    every = _every(evidence, SELDOM if clear else 1)
    chance = A_CHANCE if every == 1 else policy.WORTH_LEAVING
    return Contest(found, known, every) if ahead.above(policy.MARGIN) >= chance else Contest(None, known)


def _as_seen(evidence: Evidence, known: Trial, found: Trial) -> Difference:
    """Return how much better a known profile is than a found one, with the former as its own blocks alone show it.

    What it alone sets, nothing else speaks for: where a hiccup spoiled one of its few blocks, the model believes little of it.
    """
    blocks = {run.block for run in evidence.ledger.runs_of(known.number) if run.phase in EARLIER}
    gains = [gain for block in blocks if (gain := evidence.gains.in_block(known.number, block)) is not None]
    beliefs = believed(evidence, EARLIER)
    if not gains or beliefs is None:
        return Difference(0.0, math.inf)
    over = beliefs.gain(found.settings)
    return Difference(
        statistics.fmean(gains) - over.mean, math.hypot(spread(evidence) / math.sqrt(len(gains)), over.sd)
    )


def _every(evidence: Evidence, wanted: int) -> int:
    """Return in which of the blocks the known profile is: as wanted, or more seldom where the other would have too few.

    It follows from the plan and not from the clock, so that a resumed session agrees.
    """
    plan = evidence.plan
    begins = budget_shares.choosing_ends if evidence.ledger.begun(Phase.CHOOSE) else budget_shares.search_ends
    runs = (budget_shares.confirm_ends(plan) - begins(plan)) * plan.budget_s / budget_shares.run_s(plan)
    room = runs - 2 * policy.ENOUGH_BLOCKS
    return max(wanted, math.ceil(policy.ENOUGH_BLOCKS / room)) if room >= 1 else policy.ENOUGH_BLOCKS


def _best(evidence: Evidence, able: Sequence[Trial]) -> Trial | None:
    """Return the trial believed to be the best; of those surely as good, one with fewest settings; None of none."""
    able = [trial for trial in able if not evidence.guarding.breaks(trial.number, EARLIER)] or able
    beliefs = believed(evidence, EARLIER)
    if beliefs is None or not able:
        return next(iter(able), None)
    return lean.surely_leanest(beliefs, able)


def _by_belief(evidence: Evidence, able: Sequence[Trial], phases: Sequence[Phase]) -> list[Trial]:
    """Return trials, the one believed to be the best first; as they are where nothing can be believed."""
    beliefs = believed(evidence, phases)
    if beliefs is None or not able:
        return list(able)
    means = dict(zip(able, beliefs.means([trial.settings for trial in able]), strict=True))
    return sorted(able, key=lambda trial: -means[trial])


def _over(evidence: Evidence, one: Trial, other: Trial, phases: Sequence[Phase]) -> Difference:
    beliefs = believed(evidence, phases)
    return beliefs.over(one.settings, other.settings) if beliefs else Difference(0.0, math.inf)
