"""Warm start: what earlier sessions found shapes what is tried, and is never a measurement of this session.

Another day is another host: a prior outcome tells where to look, with more doubt than it was measured with. What it
praises has to be measured here like any other proposal before it can be a finalist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tuner.judging.statistics import pooled_sd
from tuner.records import State, Status, StoredSession, Trial
from tuner.search.optimizer import Optimizer, Outcome
from tuner.session.answer.parts import WarmStart
from tuner.session.measuring.gains import Gains
from tuner.session.measuring.ledger import Ledger
from tuner.session.setup.likeness import Asked, asked_of, likeness
from tuner.session.setup.plan import Plan
from tuner.store import Store
from tuner.store.place import unheard

MOST_SESSIONS: Final = 5
"""The latest sessions that are used: older ones are further from what the host is now."""

DOUBT: Final = 4.0
"""A prior outcome's variance is this many times what its own blocks say."""

OTHER_DAY_SD: Final = 0.1
"""How far a gain (natural logarithm) may move from one session to the next, a guess on the safe side."""


@dataclass(frozen=True, slots=True)
class Prior:
    """The outcomes of earlier sessions, and of how many sessions they are."""

    sessions: int
    outcomes: tuple[Outcome, ...]

    def teach(self, optimizer: Optimizer) -> None:
        """Tell an optimizer every outcome."""
        for outcome in self.outcomes:
            optimizer.tell(outcome)

    def used(self) -> WarmStart:
        """Return how much was used."""
        return WarmStart(self.sessions, len(self.outcomes))

    def __str__(self) -> str:
        if not self.outcomes:
            return "warm start: no finished session on a host like this has the same stack, objective, workload and baseline"
        noun = "session" if self.sessions == 1 else "sessions"
        counted = f"{len(self.outcomes)} results of {self.sessions} earlier {noun}"
        return f"warm start: the search uses {counted}; they do not count as measurements"


def with_prior_sessions(
    store: Store, plan: Plan, facts: Mapping[str, Any], note: Callable[[str], None] = unheard
) -> Plan:
    """Return the plan with the ids of the sessions that it starts from; unchanged when it asks for none.

    They are finished tunings of the same stack, objective, workloads and baseline on hosts alike. The ids are
    in the plan, and finished sessions do not change, so that a resumed session starts from the same. `note` hears of
    sessions that cannot be read.
    """
    if plan.warm_start is None:
        return plan
    readable, wrong = store.readable()
    if wrong:
        note(f"warm start: what cannot be read teaches nothing: {wrong[0].message} (all of it: `tuner store check`)")
    alike = [row.id for row in readable if _alike(row, plan, facts)]
    return replace(plan, warm_start=tuple(alike[-MOST_SESSIONS:]))


def load_prior(store: Store, plan: Plan) -> Prior:
    """Return what the sessions that a plan starts from found."""
    found = [
        list(_outcomes(Gains(Ledger.read(store, session), plan.objective, plan.guards)))
        for session in plan.warm_start or ()
    ]
    return Prior(sum(map(bool, found)), tuple(outcome for outcomes in found for outcome in outcomes))


def _alike(row: StoredSession, plan: Plan, facts: Mapping[str, Any]) -> bool:
    return row.state is State.DONE and asked_of(row) == Asked.of(plan) and likeness(row.facts, facts).alike


def _outcomes(gains: Gains) -> Iterator[Outcome]:
    ledger = gains.ledger
    found_of = {trial.number: _gains_of(gains, trial) for trial in ledger.trials[1:]}
    sd = pooled_sd(found for number, found in found_of.items() if ledger.status(number) is Status.OK)
    for trial in ledger.trials[1:]:
        found, status = found_of[trial.number], ledger.status(trial.number)
        if status is Status.OK and found:
            variance = DOUBT * sd**2 / len(found) + OTHER_DAY_SD**2
            yield Outcome(dict(trial.settings), sum(found) / len(found), variance, prior=True)
        elif status not in {Status.OK, Status.INVALID}:
            yield Outcome(dict(trial.settings), None, prior=True)


def _gains_of(gains: Gains, trial: Trial) -> list[float]:
    blocks = sorted({run.block for run in gains.ledger.runs_of(trial.number)})
    found = ((block, gains.in_block(trial.number, block)) for block in blocks)
    return [gains.guarding.scored(gain, trial.number, block) for block, gain in found if gain is not None]
