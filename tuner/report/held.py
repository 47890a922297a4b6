"""What a report says of the searches over the load: how each went, and which rate it found to hold the limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tuner.figures import shown
from tuner.records import Run
from tuner.report.rows import Row
from tuner.runs.rate_search import Probe
from tuner.session.measuring import rate_searches
from tuner.session.measuring.evidence import Evidence

HEADERS: Final = ("search", "profile", "phase", "block", "offered, msg/s", "held, msg/s")


def held(evidence: Evidence) -> Row:
    """Return one row a search over the load as JSON; without rows where the objective is no limit on latency."""
    limits = evidence.objective.limits
    rows = list(_rows(evidence)) if limits else []
    why = (
        f"Each row is one search for the {evidence.objective.name}: the offered rates in order, ✓ where every limit was met and "
        "✗ where not. Runs of one second only bracket the rate; the long ones decide. "
        "The rate of a profile, with its interval over all searches, is in the table of profiles."
    )
    return {"why": why if limits else "", "headers": list(HEADERS), "rows": rows}


def _rows(evidence: Evidence) -> Iterator[list[str]]:
    for number, series in rate_searches.by_series(evidence.ledger.runs).items():
        yield _row(evidence, number, series)


def _row(evidence: Evidence, number: int, series: Sequence[Run]) -> list[str]:
    found = rate_searches.answer(series, evidence.objective.limits)
    course = " ".join(map(_probe, rate_searches.probes(series, evidence.objective.limits)))
    where = [evidence.ledger.trials[series[0].trial].profile, series[0].phase, str(series[0].block)]
    return [str(number), *where, course, shown(found.rate_mps) if found else "no answer"]


def _probe(probe: Probe) -> str:
    return f"{shown(probe.offered_mps)}{' (long)' if probe.long else ''} {'✓' if probe.held else '✗'}"
