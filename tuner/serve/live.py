"""A session under way, as its stored runs tell it: how far it is, what leads and by how much, who disturbs it.

Runs are read once and kept, so that another look reads what is new. Everything is computed as a report computes it; a gain
that no confirmation has judged is marked provisional.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from tuner.errors import Finding, StoreError, doubt
from tuner.figures import plain, shown
from tuner.judging.statistics import Gain, gain
from tuner.records import Kind, Phase, Run, Status, StoredSession, Trial
from tuner.session.answer import disturbance
from tuner.session.answer.circumstances import host
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.ledger import Ledger
from tuner.session.phases.baseline_shift import seen
from tuner.session.phases.standings import incumbent
from tuner.session.setup.plan import Plan
from tuner.store import Store
from tuner.store.database import is_same_run

MOST_FAILURES: Final = 3
MOST_STANDINGS: Final = 4
MOST_POINTS: Final = 400
"""The latest trials of a search that are drawn."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A profile that is compared with the baseline, and its gain so far."""

    profile: str
    settings: Mapping[str, str] = field(hash=False)
    gain: Gain
    phase: Phase
    """Whose blocks say so: what only the search says is provisional."""


@dataclass(frozen=True, slots=True)
class Live:
    """A session under way."""

    session: str
    baseline: str
    phase: Phase | None
    """That of the latest run, None before the first."""
    last_at: str
    """When the latest run began, ISO 8601."""
    runs: int
    failed: int
    blocks: int
    disturbed: int
    """Blocks that the host disturbed."""
    standings: tuple[Standing, ...]
    """What leads, best first."""
    metrics: tuple[tuple[str, str], ...]
    """The baseline's judged metrics so far: the name and the median."""
    points: tuple[float, ...]
    """The log gain of each trial of the search, in the order in which they were tried first."""
    failures: tuple[tuple[str, str], ...]
    """The latest runs that failed: profile, and how in the program's own words."""
    culprits: str
    advice: tuple[str, ...]
    """What to do about what disturbs."""
    doubts: tuple[Finding, ...]


@dataclass(slots=True)
class Follower:
    """One running session's evidence, read as far as it goes."""

    store: Store
    session: str
    _evidence: Evidence | None = None
    _told: tuple[StoredSession, Live] | None = None

    def look(self, row: StoredSession) -> Live:
        """Return how far the session is; raise `StoreError` for what no release wrote.

        Each run changes its row, so that nothing is read where the row is the one of the last look.
        """
        if self._told is None or self._told[0] is not row:
            self._told = row, self._look(row)
        return self._told[1]

    def _look(self, row: StoredSession) -> Live:
        plan = Plan.from_dict(row.plan)
        known = self._evidence
        ledger = known.ledger if known and self._goes_on(known.ledger) else Ledger(row.id)
        self._read_on(ledger, len(plan.workloads))
        if known is None or known.ledger is not ledger or known.plan != plan:
            known = Evidence(plan, ledger)
        self._evidence = known
        return live(known, row)

    def _goes_on(self, ledger: Ledger) -> bool:
        """Return whether the store still holds the last run that was read, so that the rest need not be read again."""
        if not ledger.runs:
            return not ledger.trials
        last = ledger.runs[-1]
        found = self.store.runs(self.session, last.number)[:1]
        return bool(found) and is_same_run(last, found[0])

    def _read_on(self, ledger: Ledger, workloads: int) -> None:
        runs = self.store.runs(self.session, len(ledger.runs))
        for trial in self.store.trials(self.session, len(ledger.trials)):  # after the runs, which name no later ones
            ledger.add_trial(trial)
        for run in runs:
            if run.workload >= workloads or run.trial >= len(ledger.trials):
                raise StoreError(
                    f"session {self.session}: run {run.number} is of a workload or trial that is not there"
                )
            ledger.add_run(run)


def live(evidence: Evidence, row: StoredSession) -> Live:
    """Return a session under way as its evidence tells it."""
    ledger = evidence.ledger
    calm = host(evidence)
    last = ledger.runs[-1] if ledger.runs else None
    return Live(
        session=row.id,
        baseline=evidence.plan.baseline.profile,
        phase=last.phase if last else None,
        last_at=last.started_at if last else "",
        runs=len(ledger.runs),
        failed=sum(run.status is not Status.OK for run in ledger.runs),
        blocks=calm.blocks,
        disturbed=calm.disturbed,
        standings=tuple(standings(evidence)),
        metrics=tuple(_of_baseline(evidence)),
        points=tuple(reversed(list(islice(_latest_points(evidence), MOST_POINTS)))),
        failures=tuple(_failures(ledger))[-MOST_FAILURES:],
        culprits=disturbance.sentence(calm),
        advice=tuple(disturbance.advice(calm)),
        doubts=tuple(doubt(each["what"], each["advice"]) for each in row.facts.get("doubts", ())),
    )


def standings(evidence: Evidence) -> list[Standing]:
    """Return what leads and its gain over the baseline: in the blocks that judge once there are any, else in the search's."""
    judging = Phase.MINIMISE if evidence.plan.kind is Kind.MINIMISE else Phase.CONFIRM
    others = [trial for trial in evidence.ledger.trials[1:] if judging in evidence.ledger.phases_of(trial.number)]
    judged = [_standing(trial, evidence.gains.of(trial.number, judging), judging) for trial in others]
    found = sorted(filter(None, judged), key=lambda each: -each.gain.ratio)[:MOST_STANDINGS]
    return found or _leading(evidence)


def _leading(evidence: Evidence) -> list[Standing]:
    leader = incumbent(evidence) if evidence.ledger.trials else None
    found = _standing(leader, seen(evidence.gains, leader.number), Phase.SEARCH) if leader else None
    return [found] if found else []


def _standing(trial: Trial, log_gains: Sequence[float], phase: Phase) -> Standing | None:
    return Standing(trial.profile, trial.settings, gain(log_gains), phase) if log_gains else None


def _of_baseline(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield the medians of what is judged, of the baseline's runs so far."""
    for term in evidence.objective.terms:
        mine = [run for run in evidence.ledger.runs_of(0) if run.workload == term.workload]
        values = [run.metrics()[term.metric] for run in mine if term.metric in run.metrics()]
        if values:
            yield plain(term.metric), shown(statistics.median(values))


def _latest_points(evidence: Evidence) -> Iterator[float]:
    for trial in reversed(evidence.ledger.trials[1:]):
        if found := evidence.gains.of(trial.number, Phase.SEARCH):
            yield statistics.fmean(found)


def _failures(ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Yield the runs that failed, oldest first."""
    for run in ledger.runs:
        if run.status is not Status.OK:
            yield _named(ledger, run), f"{run.status}: {run.reason}"


def _named(ledger: Ledger, run: Run) -> str:
    return ledger.trials[run.trial].profile
