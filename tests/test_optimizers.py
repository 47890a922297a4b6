"""What every optimizer must do, and what scikit-optimize in particular must not do to us."""

import json
import math
import random
import sys
from collections.abc import Callable, Mapping

import pytest

from tuner import catalogue
from tuner.errors import MissingTool, UsageError
from tuner.search import bayesian, beliefs
from tuner.search.dimension import Dimension, Scale
from tuner.search.optimizer import Optimizer, Outcome
from tuner.search.registry import OPTIMIZERS, make
from tuner.search.space import SearchSpace, load

Settings = Mapping[str, str]
ALL = pytest.mark.parametrize("name", sorted(OPTIMIZERS))

POLL = Dimension("POLL", Scale.LOG, 1, 1_000_000, ("-1", "0"))
BUFFER = Dimension("BUFFER", Scale.LOG, 1024, 1 << 20, power_of_two=True)
YIELD = Dimension("YIELD", Scale.CHOICE, values=("0", "1", "100"))
ACK = Dimension("ACK", Scale.CHOICE, values=("0", "1"))
TOY = SearchSpace("kernel", (POLL, BUFFER, YIELD, ACK), defaults={"POLL": "0", "YIELD": "0", "ACK": "0"})
TINY = SearchSpace("kernel", (YIELD, ACK))


def unchanged(settings: dict[str, str]) -> dict[str, str]:
    return settings


def toy_gain(settings: Settings) -> float:
    """Smooth, with its best at POLL 3000 and BUFFER 64 K: 0.5, and down to about -2."""
    known = {"POLL": "0", "BUFFER": "1024", "YIELD": "0", "ACK": "0", **settings}
    poll, buffer = max(int(known["POLL"]), 1), int(known["BUFFER"])
    bowl = (math.log10(poll) - math.log10(3000)) ** 2 / 6 + (math.log2(buffer) - 16) ** 2 / 72
    return 0.4 + 0.1 * (known["ACK"] == "1") - 0.3 * (known["YIELD"] == "1") - bowl


def played(
    optimizer: Optimizer, trials: int, gain: Callable[[Settings], float | None] = toy_gain
) -> list[dict[str, str]]:
    asked = []
    for _ in range(trials):
        asked.append(optimizer.ask())
        optimizer.tell(Outcome(asked[-1], gain(asked[-1]), 1e-4))
    return asked


def distinct(asked: list[dict[str, str]]) -> int:
    return len({frozenset(settings.items()) for settings in asked})


@ALL
@pytest.mark.parametrize("stack", ["kernel", "xlio"])
def test_only_valid_settings_are_asked(name: str, stack: str) -> None:
    space = load(stack, "balanced", multiplexer="epoll", protocol="tcp")
    known = catalogue.load(stack)
    noise = random.Random(1)
    for settings in played(make(name, space, 1, unchanged), 16, lambda _: noise.gauss(0, 0.1)):
        assert settings
        assert [known.find(n).problem(text) for n, text in settings.items() if known.find(n).problem(text)] == []
        assert json.loads(json.dumps(settings)) == settings
        assert {type(part) for item in settings.items() for part in item} == {str}


@ALL
def test_the_same_seed_gives_the_same_search_and_another_seed_another(name: str) -> None:
    first, again, other = (played(make(name, TOY, seed, unchanged), 10) for seed in (5, 5, 6))
    assert first == again != other


@ALL
def test_a_resumed_search_goes_on_as_if_it_had_not_stopped(name: str) -> None:
    whole = played(make(name, TOY, 3, unchanged), 12)
    for stop in (3, 9):
        resumed = make(name, TOY, 3, unchanged)
        for settings in whole[:stop]:
            resumed.tell(Outcome(settings, toy_gain(settings), 1e-4))
        assert played(resumed, 12 - stop) == whole[stop:]


@ALL
def test_nothing_is_asked_twice_before_the_space_is_used_up(name: str) -> None:
    assert distinct(played(make(name, TOY, 2, unchanged), 25)) == 25


@ALL
def test_a_small_space_is_used_up_and_then_the_best_is_asked_again(name: str) -> None:
    optimizer = make(name, TINY, 4, unchanged)
    asked = played(optimizer, TINY.size)
    assert distinct(asked) == TINY.size
    assert played(optimizer, 3) == [max(asked, key=toy_gain)] * 3


@ALL
def test_leaving_everything_to_the_stack_is_a_proposal_like_any_other(name: str) -> None:
    def feasible(settings: dict[str, str]) -> dict[str, str]:
        return {name: text for name, text in settings.items() if text != "0"}

    asked = played(make(name, TINY, 1, feasible), TINY.size)
    assert distinct(asked) == TINY.size
    assert {} in asked


@ALL
def test_several_can_be_asked_before_one_is_told(name: str) -> None:
    optimizer = make(name, TOY, 8, unchanged)
    played(optimizer, 8)
    together = [optimizer.ask() for _ in range(4)]
    assert distinct(together) == 4
    assert distinct([*together, optimizer.ask()]) == 5


@ALL
def test_what_was_told_from_elsewhere_is_not_asked_again(name: str) -> None:
    optimizer = make(name, TINY, 1, unchanged)
    known = {"YIELD": "1", "ACK": "1"}
    optimizer.tell(Outcome(known, 0.9))
    assert known not in played(optimizer, TINY.size - 1)


@ALL
def test_seeds_outside_the_space_do_no_harm(name: str) -> None:
    optimizer = make(name, TOY, 1, unchanged)
    optimizer.tell(Outcome({}, 0.0, 0.0))
    optimizer.tell(Outcome({"ELSEWHERE": "7", "POLL": "nonsense"}, 0.3))
    optimizer.tell(Outcome({"POLL": "99999999", "BUFFER": "64KB", "YIELD": "3"}, 1e6, 1e9))
    asked = played(optimizer, 14)
    assert distinct(asked) == 14
    assert all(TOY.covers(settings) for settings in asked)


@ALL
def test_what_an_earlier_session_found_may_be_asked_again(name: str) -> None:
    optimizer = make(name, TINY, 1, unchanged)
    for settings in TINY.every():
        optimizer.tell(Outcome(settings, 0.1, 0.04, prior=True))
    assert distinct(played(optimizer, TINY.size)) == TINY.size


@ALL
def test_a_measurement_takes_the_place_of_what_an_earlier_session_found(name: str) -> None:
    optimizer = make(name, TINY, 1, unchanged)
    overrated, best = {"YIELD": "0", "ACK": "0"}, {"YIELD": "1", "ACK": "1"}
    optimizer.tell(Outcome(overrated, 9.0, 0.04, prior=True))
    played(optimizer, TINY.size, lambda settings: 0.5 if settings == best else 0.1)
    assert optimizer.ask() == best


@ALL
def test_a_resumed_search_with_a_prior_goes_on_as_if_it_had_not_stopped(name: str) -> None:
    def warm() -> Optimizer:
        optimizer, draw = make(name, TOY, 3, unchanged), random.Random(7)
        for settings in (TOY.sample(draw) for _ in range(12)):
            optimizer.tell(Outcome(settings, toy_gain(settings), 0.04, prior=True))
        return optimizer

    whole, resumed = played(warm(), 10), warm()
    for settings in whole[:6]:
        resumed.tell(Outcome(settings, toy_gain(settings), 1e-4))
    assert played(resumed, 4) == whole[6:]


@ALL
@pytest.mark.parametrize("fails", [0.5, 1.0])
def test_a_search_survives_failures(name: str, fails: float) -> None:
    chance = random.Random(1)
    asked = played(make(name, TOY, 1, unchanged), 16, lambda s: None if chance.random() < fails else toy_gain(s))
    assert distinct(asked) == 16


@ALL
def test_candidates_are_repaired_or_turned_down_before_they_are_asked(name: str) -> None:
    def feasible(settings: dict[str, str]) -> dict[str, str] | None:
        return None if settings["YIELD"] == "0" else {**settings, "ACK": "1"}

    asked = played(make(name, TOY, 1, feasible), 14)
    assert distinct(asked) == 14
    assert all(s["YIELD"] != "0" and s["ACK"] == "1" for s in asked)


@ALL
def test_a_space_in_which_nothing_can_run_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="no candidate"):
        make(name, TINY, 1, lambda _: None).ask()


@ALL
def test_equal_gains_everywhere_are_no_trouble(name: str) -> None:
    assert distinct(played(make(name, TOY, 1, unchanged), 12, lambda _: 0.0)) == 12


@ALL
def test_a_space_of_one_value_is_asked_again_and_again(name: str) -> None:
    space = SearchSpace("kernel", (Dimension("ACK", Scale.CHOICE, values=("1",)),))
    assert played(make(name, space, 1, unchanged), 4) == [{"ACK": "1"}] * 4


@ALL
def test_a_search_finds_better_than_a_few_random_samples(name: str) -> None:
    draw = random.Random(1)
    typical = sorted(max(toy_gain(TOY.sample(draw)) for _ in range(4)) for _ in range(200))[100]
    best = [max(map(toy_gain, played(make(name, TOY, seed, unchanged), 18))) for seed in range(3)]
    assert sum(best) / len(best) > typical


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


@ALL
def test_a_space_without_dimensions_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="nothing to search"):
        make(name, SearchSpace("kernel", ()), 1, unchanged)


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
