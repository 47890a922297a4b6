"""The benchmark of decisions counts what it says, and sessions pass its small form: claims are true, intervals cover."""

from __future__ import annotations

import decisions
import pytest
import simulation

SESSIONS = range(30)
BUDGET_S = 60.0


def decided(gain: float) -> list[decisions.Decision]:
    found = [decisions.decide(seed, gain, simulation.Noise(), BUDGET_S) for seed in SESSIONS]
    return [one for one in found if one is not None]


def test_where_nothing_matters_claims_are_rare_and_intervals_cover() -> None:
    found = decided(1.0)
    assert len(found) == len(SESSIONS)
    assert all(one.truth == 1.0 for one in found)
    assert sum(one.claimed for one in found) <= 4
    assert sum(one.covered for one in found) >= 26


def test_a_large_gain_is_found_and_not_overstated() -> None:
    found = decided(1.5)
    assert sum(one.claimed and one.truth == 1.5 for one in found) >= 26
    assert sum(one.covered for one in found) >= 26
    assert sum(one.overclaim for one in found) / len(found) == pytest.approx(0.0, abs=0.05)


def test_a_row_counts_true_and_false_claims_apart() -> None:
    false, true, silent = (
        decisions.Decision(True, 1.0, 1.2, 1.1, 1.3),
        decisions.Decision(True, 1.1, 1.1, 1.0, 1.2),
        decisions.Decision(False, 1.1, 1.0, 0.9, 1.2),
    )
    cells = decisions.row(1.1, [false, true, silent]).split("|")
    assert [cell.split("(")[0].strip() for cell in cells[2:6]] == ["2 of 3", "1 of 3", "1 of 3", "2 of 3"]
