"""A setting leaves the recommended profile by what is expected to be lost, never because its worth was not proved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions import PLAN

from tuner.judging.joint import Belief, Difference
from tuner.records import Role, Trial
from tuner.session.phases import lean
from tuner.session.phases.beliefs import Beliefs
from tuner.session.setup import policy

WHOLE = {"XLIO_RX_POLL": "-1", "XLIO_TCP_QUICKACK": "1", "XLIO_RX_POLL_YIELD": "1", "XLIO_TCP_NODELAY": "1"}


@dataclass(frozen=True)
class Sums:
    """Beliefs in which every setting adds its own log gain, each with the same doubt."""

    worth: Mapping[str, float]
    sd: float

    def of(self, profiles: Sequence[Mapping[str, str]]) -> Belief:
        """Return the sums of what is set."""
        means = np.array([math.fsum(self.worth[name] for name in each) for each in profiles])
        held = np.array([[name in each for name in self.worth] for each in profiles], dtype=np.float64)
        return Belief(means, self.sd**2 * held @ held.T)

    def over(self, one: Mapping[str, str], other: Mapping[str, str]) -> Difference:
        """Return the difference of two sums."""
        return self.of([one, other]).over(0, 1)

    def over_each(self, one: Mapping[str, str], others: Sequence[Mapping[str, str]]) -> list[Difference]:
        """Return the difference to each of several."""
        return [self.over(one, other) for other in others]


def superfluous(worth: Mapping[str, float], sd: float) -> set[str]:
    return set(lean.superfluous(PLAN, cast("Beliefs", Sums(worth, sd)), WHOLE))


def test_what_is_surely_worth_nothing_leaves_and_what_is_worth_something_stays() -> None:
    worth = dict.fromkeys(WHOLE, 0.0) | {"XLIO_RX_POLL": 0.4, "XLIO_TCP_QUICKACK": 0.06}
    assert superfluous(worth, 0.002) == {"XLIO_RX_POLL_YIELD", "XLIO_TCP_NODELAY"}


def test_what_may_well_be_missed_stays_although_nothing_was_shown_of_it() -> None:
    worth = dict.fromkeys(WHOLE, 0.0)
    assert superfluous(worth, 0.05) == set()


@given(st.lists(st.floats(0.0, 0.02), min_size=4, max_size=4))
def test_all_that_leaves_is_together_expected_to_lose_no_more_than_is_negligible(worth: list[float]) -> None:
    named = dict(zip(WHOLE, worth, strict=True))
    gone = superfluous(named, 0.002)
    assert math.fsum(named[name] for name in gone) <= policy.NEGLIGIBLE + 1e-9


def trial(number: int, names: Sequence[str]) -> Trial:
    return Trial(number, f"profile-{number}", Role.REDUCED, {name: WHOLE[name] for name in names})


@pytest.mark.parametrize(("quickack", "expected"), [(0.0, 1), (policy.NEGLIGIBLE / 2, 1), (3 * policy.NEGLIGIBLE, 2)])
def test_the_leanest_profile_is_the_shortest_that_loses_next_to_nothing(quickack: float, expected: int) -> None:
    worth = dict.fromkeys(WHOLE, 0.0) | {"XLIO_RX_POLL": 0.4, "XLIO_TCP_QUICKACK": quickack}
    shorter = [trial(1, ["XLIO_RX_POLL"]), trial(2, ["XLIO_RX_POLL", "XLIO_TCP_QUICKACK"]), trial(3, [])]
    found = lean.leanest(cast("Beliefs", Sums(worth, 0.01)), trial(0, list(WHOLE)), shorter)
    assert len(found.settings) == expected


@pytest.mark.parametrize(("sd", "expected"), [(0.01, 1), (0.05, 2)])
def test_of_two_believed_to_be_as_good_the_shorter_one_is_chosen_only_if_little_can_be_missed(
    sd: float, expected: int
) -> None:
    worth = dict.fromkeys(WHOLE, 0.0) | {"XLIO_RX_POLL": 0.4, "XLIO_TCP_QUICKACK": policy.NEGLIGIBLE / 2}
    trials = [trial(1, ["XLIO_RX_POLL"]), trial(2, ["XLIO_RX_POLL", "XLIO_TCP_QUICKACK"])]
    found = lean.surely_leanest(cast("Beliefs", Sums(worth, sd)), trials)
    assert len(found.settings) == expected
