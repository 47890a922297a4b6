"""Whether the baseline runs: without it nothing of a session could be believed."""

from __future__ import annotations

from typing import Final

from tuner.errors import BaselineFailed
from tuner.records import Status
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.pairs import pair_of

# A block in which the baseline fails says nothing; after this many in a row nothing after it could be believed.
BASELINE_FAILURES: Final = 3


def believe_baseline(evidence: Evidence, pair: str | None = None) -> None:
    """Raise `BaselineFailed` when the baseline failed in the last three blocks, or in all there are; `pair` limits that to one pair's."""
    mine = evidence.ledger.runs_of(evidence.baseline.number)
    if pair is not None:
        mine = [run for run in mine if pair_of(run) == pair]
    recent = mine[-BASELINE_FAILURES * len(evidence.plan.workloads) :]
    if recent and all(run.status != Status.OK for run in recent):
        raise BaselineFailed(
            f"the baseline ({evidence.baseline.profile}) does not run: {recent[-1].status}: {recent[-1].reason}",
            advice=f"see `tuner sessions show {evidence.ledger.session}` and `tuner check --stack {evidence.plan.stack}`",
        )
