"""Whether a tuning without a budget goes on: while another minute is expected to bring something, and no longer than half an hour.

Asked when the search has used its share of the time that the session has so far, by the data of the search alone, so that the
blocks of the confirmation follow from nothing that they say themselves. What the last minute's search brought is what
another one is expected to bring at most: searches bring less and less. Where something leads that there is no time to
show, the time for that is what another minute brings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from tuner.records import Phase, Trial
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases.beliefs import Beliefs, believed
from tuner.session.phases.finalists import blocks_to_show
from tuner.session.phases.standings import ranked
from tuner.session.setup import budget_shares
from tuner.session.setup.plan import Plan

MINUTE_S: Final = 60.0
LONGEST_SESSION_S: Final = 1800.0
BRINGS: Final = 0.01
"""What another minute must be expected to bring: the logarithm of a ratio."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the search says of another minute."""

    gain: float
    """By how much what the last minute found is believed to be better than all before: the logarithm of a ratio, 0 for nothing."""
    unshown: bool
    """Whether the leader is believed to be better by more than that, and there is no time yet to show it."""

    @property
    def worth_it(self) -> bool:
        """Return whether another minute is expected to bring something."""
        return self.gain > BRINGS or self.unshown

    def words(self, plan: Plan) -> str:
        """Return why the session goes on with this plan, or why not."""
        if not self.worth_it:
            return (
                f"another minute is not expected to bring more than 1 %: the search ends, {plan.budget_s:.0f} s in all"
            )
        if self.gain > BRINGS:
            return f"the last minute brought {100 * math.expm1(self.gain):.0f} %: the search goes on, {plan.budget_s:.0f} s in all"
        return f"what leads cannot be shown in this time: the session goes on, {plan.budget_s:.0f} s in all"


def outlook(evidence: Evidence) -> Outlook | None:
    """Return what is expected of another minute, None where the session may not become longer or is past its search."""
    plan = evidence.plan
    begun = evidence.ledger.begun(Phase.CHOOSE) or evidence.ledger.begun(Phase.CONFIRM)
    if not plan.open_ended or begun or plan.budget_s + MINUTE_S > LONGEST_SESSION_S:
        return None
    beliefs, order = believed(evidence, (Phase.SEARCH,)), list(ranked(evidence))
    if beliefs is None or not order:
        return None
    means = dict(zip(order, beliefs.means([trial.settings for trial in order]), strict=True))
    return Outlook(_ahead(means, _found_last(evidence)), _unshown(evidence, beliefs, means))


def longer(plan: Plan) -> Plan:
    """Return a plan that has another minute."""
    return replace(plan, budget_s=plan.budget_s + MINUTE_S)


def _found_last(evidence: Evidence) -> set[int]:
    """Return the trials that were first measured in the last minute's share of the search."""
    first: dict[int, float] = {}
    spent_s = 0.0
    for run in evidence.ledger.runs:
        if run.phase is Phase.SEARCH:
            first.setdefault(run.trial, spent_s)
            spent_s += run.wall_s
    since_s = spent_s - budget_shares.SEARCH_SHARE * MINUTE_S
    return {trial for trial, at_s in first.items() if at_s >= since_s}


def _ahead(means: Mapping[Trial, float], new: set[int]) -> float:
    """Return by how much the best of the new trials is believed to be ahead of all others and of the baseline."""
    before = max((mean for trial, mean in means.items() if trial.number not in new), default=0.0)
    latest = max((mean for trial, mean in means.items() if trial.number in new), default=0.0)
    return max(0.0, latest - max(0.0, before))


def _unshown(evidence: Evidence, beliefs: Beliefs, means: Mapping[Trial, float]) -> bool:
    """Return whether the leader is believed to be worth showing, and the judging has no time for its blocks."""
    plan = evidence.plan
    leader = max(means, key=means.__getitem__)
    blocks = blocks_to_show(beliefs, leader)
    if blocks is None or means[leader] <= BRINGS:
        return False
    share = budget_shares.confirm_ends(plan) - budget_shares.search_ends(plan)
    return 3 * blocks * budget_shares.run_s(plan) > share * plan.budget_s
