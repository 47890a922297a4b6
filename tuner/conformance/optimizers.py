"""What every optimizer must do: ask for what is valid and new, remember nothing but what it was told, survive whatever it is told."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from typing import Final

import pytest

from tuner import catalogue
from tuner.catalogue import facts
from tuner.errors import UsageError
from tuner.search.dimension import Dimension, Scale
from tuner.search.optimizer import Optimizer, Outcome
from tuner.search.registry import make
from tuner.search.space import SearchSpace, load

Settings = Mapping[str, str]

POLL: Final = Dimension("POLL", Scale.LOG, 1, 1_000_000, ("-1", "0"))
BUFFER: Final = Dimension("BUFFER", Scale.LOG, 1024, 1 << 20, power_of_two=True)
YIELD: Final = Dimension("YIELD", Scale.CHOICE, values=("0", "1", "100"))
ACK: Final = Dimension("ACK", Scale.CHOICE, values=("0", "1"))
TOY: Final = SearchSpace("kernel", (POLL, BUFFER, YIELD, ACK), defaults={"POLL": "0", "YIELD": "0", "ACK": "0"})
TINY: Final = SearchSpace("kernel", (YIELD, ACK))
"""Spaces that a search of a few steps can know."""


def unchanged(settings: dict[str, str]) -> dict[str, str]:
    """Return settings as they are: everything can run."""
    return settings


def toy_gain(settings: Settings) -> float:
    """Return a gain that is smooth, with its best at POLL 3000 and BUFFER 64 K: 0.5, and down to about -2."""
    known = {"POLL": "0", "BUFFER": "1024", "YIELD": "0", "ACK": "0", **settings}
    poll, buffer = max(int(known["POLL"]), 1), int(known["BUFFER"])
    bowl = (math.log10(poll) - math.log10(3000)) ** 2 / 6 + (math.log2(buffer) - 16) ** 2 / 72
    return 0.4 + 0.1 * (known["ACK"] == "1") - 0.3 * (known["YIELD"] == "1") - bowl


def played(
    optimizer: Optimizer, trials: int, gain: Callable[[Settings], float | None] = toy_gain
) -> list[dict[str, str]]:
    """Return what an optimizer asks for in so many trials, each of which it is told."""
    asked = []
    for _ in range(trials):
        asked.append(optimizer.ask())
        optimizer.tell(Outcome(asked[-1], gain(asked[-1]), 1e-4))
    return asked


def distinct(asked: list[dict[str, str]]) -> int:
    """Return how many settings are different."""
    return len({frozenset(settings.items()) for settings in asked})


class OptimizerConformance:
    """Tests of the optimizer that the fixture `tuner_optimizer` names, as `--optimizer` takes it."""

    @pytest.mark.parametrize("stack", [facts.DEFAULT, facts.first()])
    def test_only_valid_settings_are_asked(self, tuner_optimizer: str, stack: str) -> None:
        space = load(stack, "balanced", multiplexer="epoll", protocol="tcp")
        known = catalogue.load(stack)
        noise = random.Random(1)
        for settings in played(make(tuner_optimizer, space, 1, unchanged), 16, lambda _: noise.gauss(0, 0.1)):
            assert settings
            assert [known.find(n).problem(text) for n, text in settings.items() if known.find(n).problem(text)] == []
            assert json.loads(json.dumps(settings)) == settings
            assert {type(part) for item in settings.items() for part in item} == {str}

    def test_the_same_seed_gives_the_same_search_and_another_seed_another(self, tuner_optimizer: str) -> None:
        first, again, other = (played(make(tuner_optimizer, TOY, seed, unchanged), 10) for seed in (5, 5, 6))
        assert first == again != other

    def test_a_resumed_search_goes_on_as_if_it_had_not_stopped(self, tuner_optimizer: str) -> None:
        whole = played(make(tuner_optimizer, TOY, 3, unchanged), 12)
        for stop in (3, 9):
            resumed = make(tuner_optimizer, TOY, 3, unchanged)
            for settings in whole[:stop]:
                resumed.tell(Outcome(settings, toy_gain(settings), 1e-4))
            assert played(resumed, 12 - stop) == whole[stop:]

    def test_nothing_is_asked_twice_before_the_space_is_used_up(self, tuner_optimizer: str) -> None:
        assert distinct(played(make(tuner_optimizer, TOY, 2, unchanged), 25)) == 25

    def test_a_small_space_is_used_up_and_then_the_best_is_asked_again(self, tuner_optimizer: str) -> None:
        optimizer = make(tuner_optimizer, TINY, 4, unchanged)
        asked = played(optimizer, TINY.size)
        assert distinct(asked) == TINY.size
        assert played(optimizer, 3) == [max(asked, key=toy_gain)] * 3

    def test_leaving_everything_to_the_stack_is_a_proposal_like_any_other(self, tuner_optimizer: str) -> None:
        def feasible(settings: dict[str, str]) -> dict[str, str]:
            return {name: text for name, text in settings.items() if text != "0"}

        asked = played(make(tuner_optimizer, TINY, 1, feasible), TINY.size)
        assert distinct(asked) == TINY.size
        assert {} in asked

    def test_several_can_be_asked_before_one_is_told(self, tuner_optimizer: str) -> None:
        optimizer = make(tuner_optimizer, TOY, 8, unchanged)
        played(optimizer, 8)
        together = [optimizer.ask() for _ in range(4)]
        assert distinct(together) == 4
        assert distinct([*together, optimizer.ask()]) == 5

    def test_what_was_told_from_elsewhere_is_not_asked_again(self, tuner_optimizer: str) -> None:
        optimizer = make(tuner_optimizer, TINY, 1, unchanged)
        known = {"YIELD": "1", "ACK": "1"}
        optimizer.tell(Outcome(known, 0.9))
        assert known not in played(optimizer, TINY.size - 1)

    def test_seeds_outside_the_space_do_no_harm(self, tuner_optimizer: str) -> None:
        optimizer = make(tuner_optimizer, TOY, 1, unchanged)
        optimizer.tell(Outcome({}, 0.0, 0.0))
        optimizer.tell(Outcome({"ELSEWHERE": "7", "POLL": "nonsense"}, 0.3))
        optimizer.tell(Outcome({"POLL": "99999999", "BUFFER": "64KB", "YIELD": "3"}, 1e6, 1e9))
        asked = played(optimizer, 14)
        assert distinct(asked) == 14
        assert all(TOY.covers(settings) for settings in asked)

    def test_what_an_earlier_session_found_may_be_asked_again(self, tuner_optimizer: str) -> None:
        optimizer = make(tuner_optimizer, TINY, 1, unchanged)
        for settings in TINY.every():
            optimizer.tell(Outcome(settings, 0.1, 0.04, prior=True))
        assert distinct(played(optimizer, TINY.size)) == TINY.size

    def test_a_measurement_takes_the_place_of_what_an_earlier_session_found(self, tuner_optimizer: str) -> None:
        optimizer = make(tuner_optimizer, TINY, 1, unchanged)
        overrated, best = {"YIELD": "0", "ACK": "0"}, {"YIELD": "1", "ACK": "1"}
        optimizer.tell(Outcome(overrated, 9.0, 0.04, prior=True))
        played(optimizer, TINY.size, lambda settings: 0.5 if settings == best else 0.1)
        assert optimizer.ask() == best

    def test_a_resumed_search_with_a_prior_goes_on_as_if_it_had_not_stopped(self, tuner_optimizer: str) -> None:
        def warm() -> Optimizer:
            optimizer, draw = make(tuner_optimizer, TOY, 3, unchanged), random.Random(7)
            for settings in (TOY.sample(draw) for _ in range(12)):
                optimizer.tell(Outcome(settings, toy_gain(settings), 0.04, prior=True))
            return optimizer

        whole, resumed = played(warm(), 10), warm()
        for settings in whole[:6]:
            resumed.tell(Outcome(settings, toy_gain(settings), 1e-4))
        assert played(resumed, 4) == whole[6:]

    @pytest.mark.parametrize("fails", [0.5, 1.0])
    def test_a_search_survives_failures(self, tuner_optimizer: str, fails: float) -> None:
        chance = random.Random(1)
        asked = played(
            make(tuner_optimizer, TOY, 1, unchanged), 16, lambda s: None if chance.random() < fails else toy_gain(s)
        )
        assert distinct(asked) == 16

    def test_candidates_are_repaired_or_turned_down_before_they_are_asked(self, tuner_optimizer: str) -> None:
        def feasible(settings: dict[str, str]) -> dict[str, str] | None:
            return None if settings["YIELD"] == "0" else {**settings, "ACK": "1"}

        asked = played(make(tuner_optimizer, TOY, 1, feasible), 14)
        assert distinct(asked) == 14
        assert all(s["YIELD"] != "0" and s["ACK"] == "1" for s in asked)

    def test_a_space_in_which_nothing_can_run_is_a_usage_error(self, tuner_optimizer: str) -> None:
        with pytest.raises(UsageError, match="no candidate"):
            make(tuner_optimizer, TINY, 1, lambda _: None).ask()

    def test_equal_gains_everywhere_are_no_trouble(self, tuner_optimizer: str) -> None:
        assert distinct(played(make(tuner_optimizer, TOY, 1, unchanged), 12, lambda _: 0.0)) == 12

    def test_a_space_of_one_value_is_asked_again_and_again(self, tuner_optimizer: str) -> None:
        space = SearchSpace("kernel", (Dimension("ACK", Scale.CHOICE, values=("1",)),))
        assert played(make(tuner_optimizer, space, 1, unchanged), 4) == [{"ACK": "1"}] * 4

    def test_a_search_finds_better_than_a_few_random_samples(self, tuner_optimizer: str) -> None:
        draw = random.Random(1)
        typical = sorted(max(toy_gain(TOY.sample(draw)) for _ in range(4)) for _ in range(200))[100]
        best = [max(map(toy_gain, played(make(tuner_optimizer, TOY, seed, unchanged), 18))) for seed in range(3)]
        assert sum(best) / len(best) > typical

    def test_a_space_without_dimensions_is_a_usage_error(self, tuner_optimizer: str) -> None:
        with pytest.raises(UsageError, match="nothing to search"):
            make(tuner_optimizer, SearchSpace("kernel", ()), 1, unchanged)
