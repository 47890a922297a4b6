"""What is said of a tuning that compared nothing: which profiles did not run, and what to do. It is no verdict on any of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from tuner.records import Run, Status, Trial
from tuner.session.answer.parts import Decision
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases.verdict import Verdict

_HOW: Final = {
    Status.TIMEOUT: "hung",
    Status.FAILED: "failed",
    Status.NOT_LOADED: "ran without the stack",
}


def nothing_compared(evidence: Evidence) -> Verdict:
    """Return the verdict of a tuning in which no profile beside the baseline has a gain."""
    return Verdict(Decision.FAILED, None, (), _why(evidence))


def _why(evidence: Evidence) -> str:
    others = evidence.ledger.trials[1:]
    what = f"nothing was compared with {evidence.baseline.profile}"
    bad = [run for run in evidence.ledger.runs if run.trial and run.status is not Status.OK]
    if bad:
        return f"{what}: {_failures(others, bad)}. {_next(evidence)}"
    refused = [trial for trial in others if trial.invalid]
    if others and len(refused) == len(others):
        return f"{what}: no profile can run here; {refused[0].profile}: {refused[0].invalid}"
    return f"{what}: no block with another profile was completed; use a larger --budget, on a host without other load"


def _failures(others: Sequence[Trial], bad: Sequence[Run]) -> str:
    """Return how many profiles did not run and in which way, with the last of them in its own words."""
    last = {run.trial: run for run in bad}
    ways = Counter(_HOW[run.status] for run in last.values())
    counts = ", ".join(f"{count} {how}" for how, count in ways.most_common())
    profile, reason = others[bad[-1].trial - 1].profile, bad[-1].reason
    return f"of the profiles that were run none ran well ({counts}); {profile}: {reason}"


def _next(evidence: Evidence) -> str:
    """Return what to do next."""
    session, stack = evidence.ledger.session, evidence.plan.stack
    shown = f"See what they printed with `tuner sessions show {session}`"
    return f"{shown}, check the host with `tuner check --stack {stack}`, or start from a profile that runs here"
