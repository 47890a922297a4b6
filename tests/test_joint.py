"""What is believed of profiles follows from every block, is as sure as it may be, and never from luck alone."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.judging import joint
from tuner.judging.effects import JITTER, Array, tail
from tuner.judging.joint import Difference, Fitted, Lesson, Score, fitted, refitted, shifted

SD = 0.05
SETTINGS = 4


def kernels(profiles: Sequence[Sequence[int]]) -> Array:
    """Return for each setting, which is on or off, 1 where two profiles agree and -1 where they do not."""
    states = np.array(profiles)
    return np.array([2.0 * np.equal.outer(states[:, at], states[:, at]) - 1.0 for at in range(states.shape[1])])


def lesson(profiles: Sequence[Sequence[int]], scores: Sequence[Score], sd: float = SD) -> Lesson:
    """Return a lesson about profiles of settings of equal urgency."""
    return Lesson(kernels(profiles), np.ones(len(profiles[0])), scores, sd)


def measured(profiles: Sequence[Sequence[int]], worth: Sequence[float], blocks: int, rng: random.Random) -> list[Score]:
    """Return scores of every profile in every block, each block at a level of its own."""
    found = []
    for block in range(blocks):
        level = rng.gauss(0.0, 1.0)
        for place, profile in enumerate(profiles):
            truth = math.fsum(gain for gain, on in zip(worth, profile, strict=True) if on)
            found.append(Score(place, block, level + truth + rng.gauss(0.0, SD)))
    return found


def dense(told: Lesson, theta: Array, tails: Array) -> Array:
    """Return the covariance of the scores, written down as the model is told: what no shortcut may change."""
    covariance = joint._signal(theta, told.effects) + np.exp(theta[-2]) * np.eye(len(told.effects[0]))
    blocks = np.array([score.block for score in told.scores])
    level = joint.LEVEL_VARIANCE * np.equal.outer(blocks, blocks)
    noise = np.diag(np.exp(theta[-1]) * tails + JITTER)
    return np.asarray(covariance[np.ix_(told.profiles, told.profiles)] + level + noise)


def searched(count: int, again: int, rng: random.Random) -> tuple[list[list[int]], list[Score]]:
    """Return profiles as a search tries them, four in a block beside the baseline, and two that are measured again in others."""
    profiles = [[0] * SETTINGS, *([rng.randrange(2) for _ in range(SETTINGS)] for _ in range(count))]
    parts = [[0, *range(first, min(first + 4, count + 1))] for first in range(1, count + 1, 4)] + [[0, 1, 2]] * again
    scores = [
        Score(place, block, rng.gauss(0.1 * sum(profiles[place]), SD))
        for block, part in enumerate(parts)
        for place in part
    ]
    rng.shuffle(scores)
    return profiles, scores


@pytest.mark.parametrize(("count", "again"), [(3, 0), (9, 30), (60, 12)])
def test_what_is_believed_is_what_the_whole_covariance_of_the_scores_says(count: int, again: int) -> None:
    rng = random.Random(count)
    told = lesson(*searched(count, again, rng))
    theta = np.array([*(rng.gauss(-4.0, 2.0) for _ in range(SETTINGS)), 1.5, rng.gauss(-4.0, 3.0), -2.0])
    tails = np.array([1.0 + rng.random() for _ in told.values])
    whole = dense(told, theta, tails)
    unlikely = 0.5 * (told.values @ np.linalg.solve(whole, told.values) + np.linalg.slogdet(whole)[1])
    assert joint._likelihood(told, theta, tails)[0] == pytest.approx(unlikely, abs=1e-8)
    effects, places = all_of(told)
    places[-1] = None  # asked for as one that was never measured
    found = Fitted(told, theta, tails).gains(effects, places)
    among = joint._signal(theta, told.effects)
    own = np.exp(theta[-2]) * np.eye(len(among))
    towards = (among + own * [place is not None for place in places])[:, told.profiles]
    mean = towards @ np.linalg.solve(whole, told.values)
    covariance = among + own - towards @ np.linalg.solve(whole, towards.T)
    assert found.mean == pytest.approx(mean * told.scale, abs=1e-8)
    assert found.covariance == pytest.approx(covariance * told.scale**2, abs=1e-8)


def test_the_matrices_of_a_lesson_are_of_its_profiles_however_often_they_were_measured() -> None:
    few, many = (lesson(*searched(8, again, random.Random(1))) for again in (2, 2000))
    theta = joint._prior(few).mean
    sizes = [
        max(
            np.size(value)
            for value in vars(joint._Solved(told, theta, np.ones(len(told.values)))).values()
            if isinstance(value, np.ndarray)
        )
        for told in (few, many)
    ]
    assert sizes[0] == 9 * 9
    assert sizes[1] == len(many.values)
    assert len(many.pairs.one) <= 25 * 2 + 9 * 2000


def all_of(told: Lesson) -> tuple[Array, list[int | None]]:
    effects = np.concatenate([told.effects, told.effects], axis=2)
    return effects, list(range(len(told.effects[0])))


PROFILES = [
    [0] * SETTINGS,
    *[[int(at == on) for at in range(SETTINGS)] for on in range(SETTINGS)],
    [1, 1, 0, 0],
    [1] * SETTINGS,
]


def test_levels_of_blocks_cancel_and_gains_are_found_to_within_what_is_believed() -> None:
    found, errors = 0, []
    for seed in range(12):
        rng = random.Random(seed)
        worth = [rng.choice([0.0, 0.0, 0.1, 0.3]) for _ in range(SETTINGS)]
        told = lesson(PROFILES, measured(PROFILES, worth, 6, rng))
        belief = shifted(fitted(told).gains(*all_of(told)), 0)
        for place, profile in enumerate(PROFILES[1:], start=1):
            truth = math.fsum(gain for gain, on in zip(worth, profile, strict=True) if on)
            seen = belief.over(place, 0)
            errors.append(seen.mean - truth)
            found += abs(seen.mean - truth) <= 2.0 * seen.sd
    assert found >= 0.9 * len(errors)
    assert statistics.pstdev(errors) < SD / 2


def test_a_leader_by_luck_is_believed_to_be_less_than_it_was_measured() -> None:
    rng = random.Random(7)
    states = [[rng.randrange(2) for _ in range(SETTINGS)] for _ in range(40)]
    profiles = [[0] * SETTINGS, *states]
    scores = [Score(0, block, 0.0) for block in range(40)] + [
        Score(place, place - 1, rng.gauss(0.0, SD)) for place in range(1, 41)
    ]
    told = lesson(profiles, scores)
    belief = shifted(fitted(told).gains(*all_of(told)), 0)
    leader = max(range(1, 41), key=lambda place: scores[39 + place].value)
    assert scores[39 + leader].value > 1.5 * SD
    assert belief.over(leader, 0).mean < scores[39 + leader].value / 2


def test_one_hiccup_among_many_blocks_moves_a_belief_by_little() -> None:
    rng = random.Random(3)
    scores = measured(PROFILES, [0.1, 0.0, 0.0, 0.0], 8, rng)
    quiet, hit = list(scores), list(scores)
    at = next(index for index, score in enumerate(hit) if score.profile == 1)
    hit[at] = Score(1, hit[at].block, hit[at].value - 1.0)
    means = []
    for each in (quiet, hit):
        told = lesson(PROFILES, each)
        means.append(shifted(fitted(told).gains(*all_of(told)), 0).over(1, 0).mean)
    assert abs(means[0] - means[1]) < 1.0 / 8 / 2


def test_a_profile_that_was_never_measured_is_believed_by_its_settings_and_with_more_doubt() -> None:
    rng = random.Random(5)
    worth = [0.3, 0.2, 0.0, 0.0]
    told = lesson(PROFILES[:-2], measured(PROFILES[:-2], worth, 8, rng))
    asked = [*PROFILES[:-2], [1, 1, 0, 0]]
    among = kernels(asked)
    effects = np.concatenate([among[:, :, :-1], among], axis=2)
    belief = shifted(fitted(told).gains(effects, [*range(len(asked) - 1), None]), 0)
    unseen, seen = belief.over(len(asked) - 1, 0), belief.over(1, 0)
    assert unseen.mean == pytest.approx(0.5, abs=3 * unseen.sd)
    assert unseen.mean > seen.mean
    assert unseen.sd > seen.sd


def test_the_gradient_is_that_of_the_likelihood() -> None:
    rng = random.Random(11)
    told = lesson(PROFILES, measured(PROFILES, [0.2, 0.1, 0.0, 0.0], 3, rng))
    theta = np.array([-1.0, -2.0, -3.0, -2.5, 1.5, -4.0, -3.0])
    tails = np.array([1.0 + rng.random() for _ in told.values])
    _, gradient = joint._likelihood(told, theta, tails)
    for at in range(len(theta)):
        step = np.zeros_like(theta)
        step[at] = 1e-5
        above, below = (joint._likelihood(told, theta + sign * step, tails)[0] for sign in (1, -1))
        assert gradient[at] == pytest.approx((above - below) / 2e-5, rel=1e-4, abs=1e-4)


def test_what_is_told_again_with_known_parameters_is_believed_alike() -> None:
    told = lesson(PROFILES, measured(PROFILES, [0.2, 0.0, 0.1, 0.0], 5, random.Random(2)))
    model = fitted(told)
    again = refitted(told, model.theta)
    first, second = (shifted(each.gains(*all_of(told)), 0).mean for each in (model, again))
    assert first == pytest.approx(second, abs=SD / 20)


@settings(max_examples=50, deadline=None)
@given(st.floats(-0.2, 0.2), st.floats(0.001, 0.2))
def test_an_expected_loss_is_the_mean_of_what_lies_above_nothing(mean: float, sd: float) -> None:
    quantiles = [statistics.NormalDist(mean, sd).inv_cdf((at + 0.5) / 4000) for at in range(4000)]
    assert Difference(mean, sd).loss == pytest.approx(statistics.fmean(max(0.0, x) for x in quantiles), abs=sd / 200)


def test_the_probability_above_a_bar_is_one_half_at_the_mean() -> None:
    assert Difference(0.03, 0.01).above(0.03) == pytest.approx(0.5)
    assert Difference(0.03, 0.01).above(0.0) > 0.99


def test_a_profile_that_was_measured_is_known_better_than_another_of_the_same_settings() -> None:
    told = lesson(PROFILES, measured(PROFILES, [0.2, 0.0, 0.1, 0.0], 5, random.Random(4)))
    effects, places = all_of(told)
    model = fitted(told)
    itself = shifted(model.gains(effects, places), 0).over(5, 0)
    alike = shifted(model.gains(effects, [*places[:5], None, places[6]]), 0).over(5, 0)
    assert itself.sd < alike.sd


def test_a_profile_is_better_than_another_by_as_much_as_the_other_is_worse() -> None:
    covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    found = joint.Belief(np.array([0.3, 0.1]), covariance)
    one, other = found.over(0, 1), found.over(1, 0)
    assert one.mean == pytest.approx(0.2)
    assert other.mean == pytest.approx(-0.2)
    assert one.sd == other.sd == pytest.approx(math.sqrt(0.04 + 0.09 - 2 * 0.01))


def test_a_score_far_away_is_taken_for_a_noisy_one_and_none_for_less_noisy() -> None:
    sd = 0.2
    found = tail(np.array([0.0, sd, 3 * sd, -6 * sd]), np.full(4, sd**2))
    assert found == pytest.approx([1.0, 1.0, (4 + 9) / 5, (4 + 36) / 5])
