"""What every optimizer must do, and what scikit-optimize in particular must not do to us."""

import math
import random
import sys

import pytest

from tuner.conformance import OptimizerConformance
from tuner.conformance.optimizers import TINY, TOY, Settings, played, toy_gain, unchanged
from tuner.errors import MissingTool, UsageError
from tuner.search import bayesian, beliefs
from tuner.search.dimension import Dimension, Scale
from tuner.search.optimizer import Outcome
from tuner.search.registry import OPTIMIZERS, make
from tuner.search.space import SearchSpace


@pytest.fixture(params=sorted(OPTIMIZERS))
def tuner_optimizer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestEveryOptimizer(OptimizerConformance):
    """All that this package has."""


def test_scikit_optimize_beats_random_search_on_a_smooth_function() -> None:
    def best(name: str, seed: int) -> float:
        return max(map(toy_gain, played(make(name, TOY, seed, unchanged), 18)))

    found, by_chance = ([best(name, seed) for seed in range(3)] for name in ("skopt", "random"))
    assert sum(found) > sum(by_chance)
    assert sorted(found)[1] > 0.45


def test_suggestions_for_a_log_range_do_not_all_stick_to_a_bound() -> None:
    space = SearchSpace(
        "kernel", (Dimension("BUFFER", Scale.LOG, 1024, 1 << 20), Dimension("N", Scale.LOG, 100, 100_000))
    )

    def gain(settings: Settings) -> float:
        return -((math.log2(int(settings["BUFFER"])) - 14) ** 2) / 20 - (math.log10(int(settings["N"])) - 4) ** 2

    optimizer = make("skopt", space, 1, unchanged)
    played(optimizer, 6, gain)
    suggested = played(optimizer, 12, gain)
    assert sum(s["BUFFER"] in {"1024", "1048576"} for s in suggested) < 6
    assert sum(s["N"] in {"100", "100000"} for s in suggested) < 6
    assert min(abs(math.log2(int(s["BUFFER"])) - 14) for s in suggested) < 1


def test_the_model_learns_to_avoid_what_fails() -> None:
    optimizer = make("skopt", TOY, 1, unchanged)
    asked = played(optimizer, 26, lambda s: None if s["YIELD"] == "100" else toy_gain(s))
    late = [settings["YIELD"] for settings in asked[8:]]
    assert late.count("100") < len(late) / 3


@pytest.mark.parametrize("name", ["skopt", "optuna"])
def test_fewer_proposals_fall_beyond_a_cliff_than_by_chance(name: str) -> None:
    def fails(settings: Settings) -> bool:
        return int(settings["POLL"]) > 20_000 or (settings["YIELD"] == "0" and int(settings["BUFFER"]) >= 1 << 18)

    draw = random.Random(3)
    by_chance = sum(fails(TOY.sample(draw)) for _ in range(2000)) / 2000
    fallen = []
    for seed in range(3):
        asked = played(make(name, TOY, seed, unchanged), 24, lambda s: None if fails(s) else toy_gain(s))
        fallen += [fails(settings) for settings in asked[12:]]
    assert by_chance > 0.2
    assert sum(fallen) / len(fallen) < 0.6 * by_chance


def test_the_model_climbs_from_what_an_earlier_session_found() -> None:
    draw = random.Random(2)
    cold, warm = make("skopt", TOY, 1, unchanged), make("skopt", TOY, 1, unchanged)
    for settings in (TOY.sample(draw) for _ in range(30)):
        warm.tell(Outcome(settings, toy_gain(settings), 0.01, prior=True))
    first = [max(map(toy_gain, played(optimizer, 4))) for optimizer in (warm, cold)]
    assert first[0] > 0.35
    assert first[0] > first[1]


def test_a_grid_is_coarse_first_and_finer_around_the_best() -> None:
    space = SearchSpace("kernel", (Dimension("A", Scale.LINEAR, 0, 1000), Dimension("B", Scale.LINEAR, 0, 1000)))
    asked = played(make("grid", space, 1, unchanged), 40, lambda s: -abs(int(s["A"]) - 640) - abs(int(s["B"]) - 160.0))
    assert {value for settings in asked[:8] for value in settings.values()} <= {"0", "500", "1000"}
    assert {"250", "750"} & {settings["A"] for settings in asked[8:16]}
    best = min(asked, key=lambda s: abs(int(s["A"]) - 640) + abs(int(s["B"]) - 160))
    assert abs(int(best["A"]) - 640) + abs(int(best["B"]) - 160) < 120


def test_known_profiles_do_not_eat_the_initial_design() -> None:
    alone = played(make("skopt", TOY, 1, unchanged), 6)
    seeded = make("skopt", TOY, 1, unchanged)
    for poll in range(10, 20):
        seeded.tell(Outcome({"POLL": str(poll)}, 0.1, 1e-4))
    assert played(seeded, 6) == alone


@pytest.mark.parametrize("gains", [[0.1, 0.3, -0.2], [0.0, 0.0], [-7.0, 0.1, 0.2, 0.3, -6.5]])
def test_a_model_is_told_cliffs_within_the_scale_of_the_good(gains: list[float]) -> None:
    told = beliefs.tellable(gains)
    assert all(gain == tellable for gain, tellable in zip(gains, told, strict=True) if gain > -1)
    assert min(told) > -1.5


def test_a_special_value_beside_a_range_is_reached() -> None:
    asked = [played(make("skopt", TOY, seed, unchanged), 20, lambda s: float(s["POLL"] == "-1")) for seed in range(3)]
    assert all(sum(settings["POLL"] == "-1" for settings in each) > 8 for each in asked)


def test_no_proposal_falls_where_failure_is_certain() -> None:
    optimizer = make("skopt", TOY, 1, unchanged)
    rng = random.Random(1)
    for settings in (TOY.sample(rng) for _ in range(40)):
        optimizer.tell(Outcome(settings, None if settings["YIELD"] == "1" else toy_gain(settings), 1e-4))
    assert {settings["YIELD"] for settings in played(optimizer, 12)} <= {"0", "100"}


def test_a_search_climbs_beside_a_cliff() -> None:
    def gain(settings: Settings) -> float:
        alone = settings["YIELD"] == "0" and max(int(settings["POLL"]), 1) > 2000
        return toy_gain(settings) - (8.0 if alone else 0.0)

    assert max(map(gain, played(make("skopt", TOY, 1, unchanged), 22, gain))) > 0.4


def test_a_long_history_is_modelled_without_losing_its_best() -> None:
    optimizer = make("skopt", TOY, 1, unchanged)
    rng = random.Random(1)
    for _ in range(150):
        settings = TOY.sample(rng)
        optimizer.tell(Outcome(settings, toy_gain(settings) + rng.gauss(0, 0.02), 4e-4))
    played(optimizer, 6)
    assert max(map(toy_gain, played(optimizer, 2))) > 0.4


def test_the_noise_of_one_lucky_observation_does_not_capture_the_search() -> None:
    optimizer = make("skopt", TOY, 1, unchanged)
    optimizer.tell(Outcome({"POLL": "1", "BUFFER": "1024", "YIELD": "1", "ACK": "0"}, 1.0, 4.0))
    asked = played(optimizer, 20)
    assert max(map(toy_gain, asked[8:])) > 0.4


def test_only_what_this_search_would_not_propose_is_doubted() -> None:
    def feasible(settings: dict[str, str]) -> dict[str, str]:
        return {**{name: text for name, text in settings.items() if text != TOY.defaults.get(name)}, "MENDED": "1"}

    search = bayesian.BayesianSearch(TOY, 1, feasible)
    played(search, 10)
    assert search._foreign == []
    foreign = {"POLL": "100", "ELSEWHERE": "1"}
    search.tell(Outcome(foreign, 0.1))
    assert search._foreign == [foreign]


@pytest.mark.parametrize("gain", [math.nan, math.inf, -math.inf])
def test_an_outcome_refuses_numbers_that_no_model_survives(gain: float) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        Outcome({}, gain)
    with pytest.raises(ValueError, match="variance"):
        Outcome({}, 0.0, gain)


def test_repeated_outcomes_of_the_same_settings_count_as_their_mean() -> None:
    optimizer = make("random", TINY, 1, unchanged)
    played(optimizer, TINY.size, lambda _: 0.0)
    lucky, steady = {"YIELD": "0", "ACK": "0"}, {"YIELD": "1", "ACK": "0"}
    optimizer.tell(Outcome(lucky, 0.9))
    optimizer.tell(Outcome(lucky, -0.9))
    optimizer.tell(Outcome(steady, 0.5))
    assert optimizer.ask() == steady


def test_an_unknown_optimizer_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        make("scopt", TOY, 1, unchanged)
    assert "skopt" in caught.value.advice


@pytest.mark.parametrize(
    ("name", "library", "module"),
    [("skopt", "skopt", "tuner.search.bayesian"), ("optuna", "optuna", "tuner.search.optuna_search")],
)
def test_without_its_library_the_error_says_what_still_works(
    monkeypatch: pytest.MonkeyPatch, name: str, library: str, module: str
) -> None:
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingTool) as caught:
        make(name, TOY, 1, unchanged)
    assert f"pip install {'scikit-optimize' if name == 'skopt' else name}" in caught.value.advice
    assert "--optimizer " in caught.value.advice
    assert make("random", TOY, 1, unchanged).ask()
    assert make("grid", TOY, 1, unchanged).ask()
