"""A budget is read as people write it, and a clock says what still fits into it."""

from __future__ import annotations

import pytest

from tuner.errors import UsageError
from tuner.records import Phase
from tuner.session.measuring.clock import Clock, seconds


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("10m", 600), ("1h", 3600), ("1.5m", 90), ("45", 45)])
def test_a_budget_is_a_number_and_a_unit(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["0", "0s", "-5s", "", "soon", "10d", "1e3s", "10 s ago"])
def test_a_budget_that_is_no_time_or_none_at_all_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        seconds(text)
    assert "90s, 10m or 1h" in caught.value.advice


def test_time_spent_before_an_interruption_counts() -> None:
    clock = Clock(budget_s=60.0, before_s=50.0, started=100.0, now=lambda: 104.0)
    assert clock.spent_s() == 54.0
    assert clock.left_s(Phase.SEARCH) == 6.0
    assert clock.fits(6.0, Phase.SEARCH)
    assert not clock.fits(6.1, Phase.SEARCH)


def test_a_phase_has_its_share_of_the_budget_and_never_less_than_nothing() -> None:
    clock = Clock(budget_s=60.0, before_s=0.0, started=0.0, now=lambda: 40.0)
    assert not clock.fits(1.0, Phase.SEARCH, share=0.5)
    assert clock.left_s(Phase.SEARCH, share=0.5) == 0.0
