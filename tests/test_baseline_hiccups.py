"""A hiccup of the baseline does not make a whole block of profiles look good to the search."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from sessions import PLAN, tune

from tuner.judging.objective import objective
from tuner.records import Phase
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring.gains import Gains
from tuner.session.measuring.ledger import Ledger
from tuner.session.phases.baseline_shift import luck, seen
from tuner.store import Store

LONG = replace(PLAN, budget_s=120.0, blocks=1000)


def searched(folder: Path, slow_run: int) -> Gains:
    """Return the gains of a session in which nothing helps and one run of the baseline takes twice as long."""
    baseline_runs: Iterator[int] = iter(range(1000))

    def latency(environment: Mapping[str, str]) -> float:
        own = not any(
            name.startswith("XLIO_") and name not in {"XLIO_TRACELEVEL", "XLIO_LOG_FILE"} for name in environment
        )
        return 72.0 if own and next(baseline_runs) == slow_run else 36.0

    found = tune(folder, SimulatedHost(latency, noise=0.01), LONG)
    return Gains(Ledger.read(Store(Results(folder).url), found["session"]), objective("latency"))


def test_what_the_search_sees_of_a_block_with_a_slow_baseline_is_about_nothing(tmp_path: Path) -> None:
    gains = searched(tmp_path, slow_run=14)
    slow = min(gains.ledger.blocks(Phase.SEARCH), key=lambda block: gains.level(block) or 0.0)
    trials = {run.trial for run in gains.ledger.runs if run.block == slow} - {0}
    assert gains.level(slow) == pytest.approx(-math.log(2), abs=0.1)
    assert luck(gains, slow) == pytest.approx(math.log(2), abs=0.15)
    assert trials
    assert all(abs(gain) < 0.15 for trial in trials for gain in seen(gains, trial))


def test_levels_that_differ_as_runs_do_are_left_alone(tmp_path: Path) -> None:
    gains = searched(tmp_path, slow_run=-1)
    assert {abs(luck(gains, block)) < 0.01 for block in gains.ledger.blocks(Phase.SEARCH)} == {True}
