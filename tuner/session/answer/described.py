"""A profile with what a session measured of it."""

from __future__ import annotations

from tuner.judging.statistics import gain, summarise
from tuner.records import Phase, Trial
from tuner.session.answer.parts import Described
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
    )
