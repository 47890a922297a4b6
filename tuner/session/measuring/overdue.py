"""When a run of a session is overdue: by what its latest runs took, and what the profile must allocate."""

from __future__ import annotations

from functools import lru_cache

from tuner import catalogue
from tuner.catalogue import memory
from tuner.catalogue.effective import effective
from tuner.records import Status, Trial
from tuner.runs.time_limits import GENEROUS, SLOWEST_BYTES_PER_S, TimeLimits, learned
from tuner.session.measuring.evidence import Evidence
from tuner.session.setup.plan import Plan


def time_limits(evidence: Evidence, trial: Trial, workload: int) -> TimeLimits:
    """Return how long a run of a trial under a workload is waited for.

    It is longer for a profile that has run well before, because a verdict may depend on it.
    """
    mine = evidence.ledger.runs_of(trial.number)
    has_run = any(run.workload == workload and run.status is Status.OK for run in mine)
    found = learned(evidence.ledger.took(workload), patient=has_run)
    return found if found is GENEROUS else found.with_more(_allocating_s(evidence.plan, trial, evidence.baseline))


def _allocating_s(plan: Plan, trial: Trial, baseline: Trial) -> float:
    """Return how many seconds longer than the baseline a profile may allocate memory where its stack takes any."""
    if plan.room is None:
        return 0.0
    more = [_taken_bytes(plan.stack, plan.release, frozenset(each.settings.items())) for each in (trial, baseline)]
    return max(0, more[0] - more[1]) / SLOWEST_BYTES_PER_S


@lru_cache(maxsize=1 << 10)
def _taken_bytes(stack: str, release: str | None, settings: frozenset[tuple[str, str]]) -> int:
    found = effective(catalogue.load(stack), dict(settings), release)
    return memory.summed(found.stack, found.release, found.values()).taken
