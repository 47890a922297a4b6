"""What a session was asked and what it has measured: all that a verdict may be made of. No rig, no clock, no store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tuner.errors import StoreError
from tuner.judging.metrics import reported
from tuner.judging.objective import Objective
from tuner.records import Run, StoredSession, Trial
from tuner.runs.metric import Metric
from tuner.session.measuring.gains import Gains
from tuner.session.measuring.guarding import Guarding
from tuner.session.measuring.ledger import Ledger, nothing
from tuner.session.measuring.metrics import Metrics
from tuner.session.setup import budget_shares
from tuner.session.setup.plan import Plan
from tuner.store import Store

# What a run is thought to cost before the first one has shown it, beyond its test's duration.
FIRST_RUN_EXTRA_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """The plan of a session and the ledger of its trials and runs, to be read only."""

    plan: Plan
    ledger: Ledger
    gains: Gains = field(init=False, repr=False, compare=False)
    """What the ledger says by the plan's objective."""
    reported: Mapping[str, Metric] = field(init=False, repr=False, compare=False)
    """What is known of the metrics that its runs may have."""

    def __post_init__(self) -> None:
        """Judge by the plan's objective."""
        object.__setattr__(self, "reported", reported(self.plan.workloads))
        object.__setattr__(self, "gains", Gains(self.ledger, self.plan.objective, self.plan.guards))

    def replanned(self, plan: Plan) -> Evidence:
        """Return the same measurements under another plan, with what is known of them where that judges alike."""
        found = replace(self, plan=plan)
        if (plan.objective, plan.guards) == (self.plan.objective, self.plan.guards):
            object.__setattr__(found, "gains", self.gains)
        return found

    @staticmethod
    def read(store: Store, session: StoredSession, heard: Callable[[Run], None] = nothing) -> Evidence:
        """Return what the store holds of a session, and let `heard` hear of each run as it is read.

        Raise `StoreError` where that does not belong together.
        """
        plan, ledger = Plan.from_dict(session.plan), Ledger.read(store, session.id, heard)
        if stray := next((run for run in ledger.runs if run.workload >= len(plan.workloads)), None):
            message = f"session {session.id}: run {stray.number} is of workload {stray.workload}, which its plan lacks"
            raise StoreError(message, advice="`tuner store salvage` copies what belongs together")
        return Evidence(plan, ledger)

    @property
    def objective(self) -> Objective:
        """What "better" means in this session."""
        return self.gains.objective

    @property
    def metrics(self) -> Metrics:
        """What the trials' runs say."""
        return self.gains.metrics

    @property
    def guarding(self) -> Guarding:
        """What the trials' runs say of the guards."""
        return self.gains.guarding

    @property
    def baseline(self) -> Trial:
        """The trial that everything is compared with: always the first."""
        return self.ledger.trials[0]

    def run_cost_s(self) -> float:
        """Return what one run (for an SLO, one search over the load) is expected to take: the mean so far, or a guess."""
        if self.ledger.runs:
            return self.ledger.unit_s
        if self.objective.limits:
            return budget_shares.run_s(self.plan)
        return max(each.rehearsed_s or each.duration_s + FIRST_RUN_EXTRA_S for each in self.plan.workloads)

    def block_cost_s(self, trials: int) -> float:
        """Return what a block of the baseline and this many trials is expected to take, in seconds."""
        return self.run_cost_s() * (trials + 1) * len(self.plan.workloads)
