"""Whether the search has found something so good that few blocks will prove it: it then goes on, and the rest minimises.

Decided once, by the data of the search alone and before anything is chosen or judged, so that the blocks of the
confirmation still follow from nothing that they say themselves; the store then holds the plan that this makes.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import replace
from typing import Final

from tuner.judging.objective import Term
from tuner.judging.statistics import promise
from tuner.measurement import percentile_of
from tuner.records import Phase, Trial
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases.baseline_shift import seen
from tuner.session.phases.standings import incumbent, spread
from tuner.session.setup import budget_shares, policy
from tuner.session.setup.plan import ClearLead, Plan

# The pessimistic view of the leader's gain, in standard errors of the few blocks. The search flatters its leader, so that
# it is twice what the blocks need (`finalists.CLEAR`); at the noise of `benchmarks/decisions.py` seven blocks are enough for
# a gain of about a third.
LEAD_ERRORS: Final = 8.0


def with_short_confirmation(evidence: Evidence) -> Plan:
    """Return the session's plan with few blocks to judge where that will do, and as it is where not."""
    plan, leader = evidence.plan, incumbent(evidence)
    begun = evidence.ledger.begun(Phase.CHOOSE) or evidence.ledger.begun(Phase.CONFIRM)
    possible = budget_shares.clear_lead_blocks(plan)
    if leader is None or begun or plan.guards or not possible:
        return plan
    sd = spread(evidence)
    gain = promise(seen(evidence.gains, leader.number), sd)[0]
    blocks = max(possible.start, math.ceil((LEAD_ERRORS * sd / gain) ** 2)) if gain > 0.0 else possible.stop
    if blocks not in possible or not _observed(evidence, leader, blocks):
        return plan
    return replace(plan, clear_lead=ClearLead(leader.profile, math.exp(gain), blocks))


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
