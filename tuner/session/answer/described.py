"""A profile with what a session measured of it."""

from __future__ import annotations

from collections.abc import Iterator

from tuner.judging.statistics import gain, summarise
from tuner.records import Phase, Trial
from tuner.session.answer.parts import Described, Loss
from tuner.session.measuring.evidence import Evidence


def described(evidence: Evidence, trial: Trial) -> Described:
    """Return a trial's profile with its metrics, and its gain in the search."""
    searched = evidence.gains.of(trial.number, Phase.SEARCH)
    return Described(
        profile=trial.profile,
        settings=dict(trial.settings),
        metrics=summarise(evidence.metrics.samples(trial.number)),
        search_gain=gain(searched) if searched else None,
        status=evidence.ledger.status(trial.number),
        loss=tuple(_losses(evidence, trial)) or None,
    )


def _losses(evidence: Evidence, trial: Trial) -> Iterator[Loss]:
    """Yield what the receivers lost under each workload that has several, in the runs that the metrics are of."""
    for number, workload in enumerate(evidence.plan.workloads):
        runs = evidence.metrics.counted(trial.number)
        measured = [run.measurement for run in runs if run.workload == number and run.measurement]
        lost = [each.lost_by_receiver for each in measured if each.lost_by_receiver]
        if lost:
            sent = sum(each.sent or 0 for each in measured if each.lost_by_receiver)
            yield Loss(workload.key(), sent, tuple(map(sum, zip(*lost, strict=True))))
