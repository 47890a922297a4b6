"""The model of a search learns single effects and pairs from few noisy trials, and knows what it does not know."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.search.beliefs import Beliefs
from tuner.search.candidates import Palette, climbed
from tuner.search.dimension import Dimension, Scale
from tuner.search.optimizer import Outcome
from tuner.search.space import SearchSpace
from tuner.search.surrogate import Centred, states

POLL = Dimension("POLL", Scale.LOG, 1, 1_000_000, ("-1", "0"))
BUFFER = Dimension("BUFFER", Scale.LOG, 1024, 1 << 20, power_of_two=True)
SWITCHES = tuple(Dimension(f"S{number}", Scale.CHOICE, values=("0", "1")) for number in range(10))
SPACE = SearchSpace("kernel", (POLL, BUFFER, *SWITCHES), defaults={d.parameter: "0" for d in (POLL, *SWITCHES)})


def true_gain(settings: Mapping[str, str]) -> float:
    together = settings["S2"] == settings["S3"] == "1"
    return 0.5 * (settings["POLL"] == "-1") + 0.2 * (settings["S1"] == "1") + 0.3 * together


def drawn(count: int, seed: int = 1) -> list[dict[str, str]]:
    rng = random.Random(seed)
    return [SPACE.sample(rng) for _ in range(count)]


def learned(outcomes: list[Outcome]) -> Beliefs:
    return Beliefs(SPACE, outcomes, [0.0] * len(outcomes))


def noisy(settings: list[dict[str, str]], sd: float = 0.03) -> list[Outcome]:
    rng = random.Random(3)
    return [Outcome(each, true_gain(each) + rng.gauss(0.0, sd), sd**2) for each in settings]


def test_effects_of_single_settings_and_of_a_pair_are_learned_from_few_noisy_trials() -> None:
    believed = learned(noisy(drawn(40))).pending([]).of(drawn(100, seed=2))
    truth = [true_gain(each) for each in drawn(100, seed=2)]
    assert np.corrcoef(believed.mean, truth)[0, 1] > 0.9
    assert np.mean(np.abs(believed.mean - truth) < 3 * believed.sd) > 0.9


def test_what_no_trial_was_near_is_believed_with_doubt_however_little_the_trials_differed() -> None:
    plain = dict(SPACE.defaults) | {"POLL": "0", "BUFFER": "1024"}
    trials = [plain | {"POLL": text} for text in ("1", "10", "100", "1000", "10000", "-1")]
    far = plain | {"BUFFER": str(1 << 20)} | {f"S{number}": "1" for number in range(10)}
    beliefs = learned([Outcome(each, 0.5 if each["POLL"] == "-1" else 0.0, 0.0) for each in [plain, *trials]])
    near, unseen = beliefs.pending([]).of([plain | {"POLL": "50"}, far]).sd
    assert unseen > 3 * near


def test_what_only_one_bad_run_of_a_baseline_made_is_not_believed() -> None:
    outcomes = noisy(drawn(30))
    lucky = [Outcome(each, true_gain(each) + 0.6, 0.03**2, block=7) for each in drawn(5, seed=4)]
    calm = [Outcome(o.settings, o.gain, o.variance, block=number // 5) for number, o in enumerate(outcomes)]
    of_one_block, by_themselves = (
        learned([*calm, *(Outcome(o.settings, o.gain, o.variance, block=block) for o in lucky)])
        .pending([])
        .of([o.settings for o in lucky])
        for block in (7, None)
    )
    assert np.mean(of_one_block.mean) < np.mean(by_themselves.mean)


def test_what_is_awaited_is_known_better_and_believed_the_same() -> None:
    beliefs, waiting = learned(noisy(drawn(15))), drawn(3, seed=5)
    before, after = beliefs.pending([]).of(waiting), beliefs.pending(waiting).of(waiting)
    assert after.mean == pytest.approx(before.mean, abs=1e-6)
    assert max(after.sd) < 0.2 * min(before.sd)


def test_settings_like_those_that_failed_are_believed_to_fail_and_others_to_run() -> None:
    outcomes = [Outcome(each, None if each["S5"] == "1" else 0.1) for each in drawn(30)]
    others = drawn(60, seed=6)
    chances = learned(outcomes).pending([]).of(others).runs
    assert max(c for c, each in zip(chances, others, strict=True) if each["S5"] == "1") < 0.3
    assert min(c for c, each in zip(chances, others, strict=True) if each["S5"] == "0") > 0.7


def test_while_nothing_has_failed_everything_is_believed_to_run() -> None:
    assert set(learned(noisy(drawn(5))).pending([]).of(drawn(5, seed=2)).runs) == {1.0}


@given(st.lists(st.one_of(st.none(), st.integers(-3, 2_000_000).map(str)), min_size=1, max_size=12))
def test_a_kernel_is_a_covariance_whatever_the_values(texts: list[str | None]) -> None:
    values = states(POLL, texts)
    kernel = Centred.over(POLL).between(values, values)
    assert np.linalg.eigvalsh(kernel).min() > -1e-9
    assert np.diag(kernel) == pytest.approx(Centred.over(POLL).itself(values))


@pytest.mark.parametrize("dimension", [POLL, BUFFER, SWITCHES[0]])
def test_an_effect_has_mean_0_and_variance_1_over_what_a_search_draws(dimension: Dimension) -> None:
    kernel = Centred.over(dimension)
    assert kernel.between(kernel.reference, kernel.reference).mean(axis=0) == pytest.approx(0.0, abs=1e-9)
    assert kernel.itself(kernel.reference).mean() == pytest.approx(1.0)


def palette(beliefs: Beliefs, parents: list[dict[str, str]]) -> Palette:
    return Palette.of(beliefs.pending([]), parents, random.Random(1))


def test_a_row_of_a_palette_stands_for_the_settings_it_was_made_of() -> None:
    parents = drawn(4)
    made = palette(learned(noisy(drawn(5))), parents)
    assert [made.settings(np.array(made.row(parent))) for parent in parents] == parents


def test_rows_beside_another_differ_from_it_in_one_setting_and_are_all_there_are() -> None:
    made = palette(learned(noisy(drawn(5))), drawn(1))
    row = np.array(made.row(drawn(1)[0]))
    beside = made.beside(row)
    assert set((beside != row).sum(axis=1)) == {1}
    assert len(beside) == len(np.unique(beside, axis=0)) == sum(len(texts) - 1 for texts in made.texts)


def test_a_palettes_beliefs_are_those_of_the_settings() -> None:
    beliefs = learned(noisy(drawn(20)))
    awaiting = beliefs.pending(drawn(2, seed=8))
    made = Palette.of(awaiting, drawn(6), random.Random(1))
    rows = np.array([made.row(parent) for parent in drawn(6)])
    by_rows, by_settings = made.belief(rows), awaiting.of(drawn(6))
    assert by_rows.mean == pytest.approx(by_settings.mean)
    assert by_rows.sd == pytest.approx(by_settings.sd)


def test_climbing_finds_the_best_of_what_is_believed() -> None:
    beliefs = learned(noisy(drawn(40)))
    parents = drawn(3)
    made = palette(beliefs, parents)
    rows = np.array([made.row(parent) for parent in parents])
    best = made.settings(climbed(made, rows, lambda each: made.belief(each).mean, 1)[0])
    assert true_gain(best) == pytest.approx(1.0)
