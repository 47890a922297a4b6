"""Whether the search has found something so good that few blocks will prove it: it then goes on, and the rest minimises.

Decided once, by the data of the search alone and before anything is chosen or judged, so that the blocks of the
confirmation still follow from nothing that they say themselves; the store then holds the plan that this makes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tuner.judging.objective import Term
from tuner.judging.statistics import LEAST_SD, promise
from tuner.measurement import percentile_of
from tuner.records import Phase, Role, Trial
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases.baseline_shift import seen
from tuner.session.phases.standings import incumbent, spread
from tuner.session.setup import budget_shares, policy
from tuner.session.setup.plan import ClearLead, Plan

# The pessimistic view of the leader's gain, in standard errors of the few blocks. The search flatters its leader, so that
# it is twice what the blocks need (`finalists.CLEAR`); at the noise of `benchmarks/decisions.py` seven blocks are enough for
# a gain of about a third.
LEAD_ERRORS: Final = 8.0
# One hiccup in the calibration makes the spread of its blocks two or three times as large, and a gain like this no less certain:
# signed ranks do not mind how far one block is off. So the farthest block does not count there. The squares of normal values
# without the largest of nine sum to 60 % of all; of fewer than six blocks none is left out.
BEYOND_HICCUPS: Final = 1.3
WITHOUT_FARTHEST: Final = 1.68
FEWEST_TRIMMED: Final = 6


def with_short_confirmation(evidence: Evidence) -> Plan:
    """Return the session's plan with few blocks to judge where that will do, and as it is where not."""
    plan, leader = evidence.plan, incumbent(evidence)
    begun = evidence.ledger.begun(Phase.CHOOSE) or evidence.ledger.begun(Phase.CONFIRM)
    possible = budget_shares.clear_lead_blocks(plan)
    if leader is None or begun or plan.guards or not possible:
        return plan
    sd, gain = _certainty(evidence, leader)
    blocks = max(possible.start, math.ceil((LEAD_ERRORS * sd / gain) ** 2)) if gain > 0.0 else possible.stop
    if blocks not in possible or not _observed(evidence, leader, blocks):
        return plan
    lead = ClearLead(
        leader.profile,
        math.exp(gain),
        blocks,
        block_runs=budget_shares.RUNS_A_BLOCK if _beside(evidence) else budget_shares.RUNS_A_BLOCK - 1,
        choosing_runs=budget_shares.CLEAR_LEAD_CHOOSING_RUNS,
        minimising_runs=budget_shares.minimising_runs(len(leader.settings)),
        search_share=budget_shares.CLEAR_LEAD_SEARCH_SHARE,
    )
    return replace(plan, clear_lead=lead)


def _certainty(evidence: Evidence, leader: Trial) -> tuple[float, float]:
    """Return the spread of a block's gain, and the pessimistic view of the leader's: less a hiccup where the gain is large."""
    sd, found = spread(evidence), seen(evidence.gains, leader.number)
    calm_sd = min(sd, _calm(evidence.gains.over_itself()) or sd)
    calm = promise(found, calm_sd)[0]
    return (calm_sd, calm) if calm > math.log(BEYOND_HICCUPS) else (sd, promise(found, sd)[0])


def _calm(over_itself: Sequence[float]) -> float | None:
    """Return the spread of the baseline's gains over itself without the farthest, None of too few."""
    squares = sorted(value**2 for value in over_itself)[:-1]
    if len(over_itself) < FEWEST_TRIMMED:
        return None
    return max(LEAST_SD, math.sqrt(WITHOUT_FARTHEST * math.fsum(squares) / len(over_itself)))


def _beside(evidence: Evidence) -> bool:
    """Return whether a known profile may be judged beside the leader."""
    return any(trial.role is Role.KNOWN for trial in evidence.ledger.trials[1:])


def words(lead: ClearLead | None) -> str:
    """Return in words what a clear lead changes, empty where there is none."""
    if lead is None:
        return ""
    why = f"{lead.profile} leads by at least ~{lead.ratio:.2g}×: {lead.blocks} blocks suffice to confirm that"
    return f"{why}; the time saved goes to more search and to minimising"


def _observed(evidence: Evidence, leader: Trial, blocks: int) -> bool:
    """Return whether so few blocks will observe every percentile of the objective often enough to judge it."""
    needed = policy.SURPLUS * policy.LEAST_BEYOND / blocks
    terms = [term for term in evidence.objective.terms if percentile_of(term.metric) is not None]
    return all(_beyond(evidence, leader, term) >= needed for term in terms)


def _beyond(evidence: Evidence, leader: Trial, term: Term) -> float:
    """Return how many observations of a run lie beyond a term's percentile, in the mean, for the worse of leader and baseline."""
    both = (leader.number, evidence.baseline.number)
    runs = [
        run
        for run in evidence.ledger.runs
        if run.workload == term.workload and run.phase == Phase.SEARCH and run.measurement
    ]
    counts = {number: [run.measurement for run in runs if run.trial == number and run.measurement] for number in both}
    means = [statistics.fmean(row.beyond(term.metric) for row in rows) for rows in counts.values() if rows]
    return min(means, default=0.0)
