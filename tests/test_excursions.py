"""A search that has stood still for a while tries what its model would not, and only then."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.search import excursions
from tuner.search.bayesian import BayesianSearch
from tuner.search.dimension import Dimension, Scale
from tuner.search.history import History
from tuner.search.optimizer import Outcome
from tuner.search.space import SearchSpace

YES_NO = tuple(Dimension(f"P{number}", Scale.CHOICE, values=("0", "1")) for number in range(6))
POLL = Dimension("POLL", Scale.LOG, 1, 1_000_000, ("-1", "0"), requires=(("P0", "1"),))
PATIENCE = excursions.PATIENCE
SPACE = SearchSpace("kernel", (*YES_NO, POLL), {"FIXED": "1"}, {d.parameter: "0" for d in (*YES_NO, POLL)})


def told(gains: Sequence[float | None], variance: float = 0.0) -> History:
    history = History()
    for number, gain in enumerate(gains):
        history.tell(Outcome({"POLL": str(number)}, gain, variance))
    return history


def due_after(gains: Sequence[float | None], before: int = 0, variance: float = 0.0) -> bool:
    return excursions.due(SPACE, told(gains, variance), before)


def drawn(history: History, rng: random.Random, count: int) -> list[dict[str, str]]:
    """Return so many excursions, of the kind that chance has each time."""
    samples, changed = excursions.samples(SPACE, rng), excursions.changed(SPACE, history, rng)
    return [next(samples if excursions.sampled(history, rng) else changed) for _ in range(count)]


def test_the_model_has_its_patience_and_then_all_turns_but_one_of_so_many() -> None:
    still = [0.5] + [0.1] * (PATIENCE + 2 * excursions.EVERY)
    turns = [due_after(still[:count]) for count in range(1, len(still) + 1)]
    assert [number for number, due in enumerate(turns) if due] == [
        PATIENCE,
        PATIENCE + excursions.EVERY,
        PATIENCE + 2 * excursions.EVERY,
    ]


def test_where_noise_may_hide_an_improvement_the_patience_is_that_of_the_dimensions() -> None:
    many = tuple(Dimension(f"P{number}", Scale.CHOICE, values=("0", "1")) for number in range(2 * PATIENCE))
    still: Sequence[float | None] = [0.5] + [0.1] * PATIENCE
    assert excursions.due(SearchSpace("kernel", many), told(still), 0)
    noisy = told(still, variance=0.03**2)
    assert excursions.due(SPACE, noisy, 0)
    assert not excursions.due(SearchSpace("kernel", many), noisy, 0)


def test_an_improvement_gives_the_model_its_patience_back() -> None:
    still = [0.5] + [0.1] * PATIENCE
    assert due_after(still)
    assert not due_after([*still[:-1], 0.6])
    assert not due_after([*still, 0.6])


def test_what_noise_may_have_made_is_no_improvement() -> None:
    rising = [0.5] + [0.1] * (PATIENCE - 1) + [0.52]
    assert not due_after(rising)
    assert due_after(rising, variance=0.03**2)


def test_a_design_is_not_what_a_search_stands_still_with() -> None:
    designed = [0.5] + [0.1] * 11
    assert not due_after(designed, before=12)
    assert due_after(designed + [0.1] * PATIENCE, before=12)


def test_proposals_that_are_awaited_have_brought_nothing_yet() -> None:
    history = told([0.5] + [0.1] * (PATIENCE - 2))
    assert not excursions.due(SPACE, history, 0)
    for number in range(2):
        history.asked({"P1": str(number)})
    assert excursions.due(SPACE, history, 0)


@given(st.integers(0, 1000), st.lists(st.booleans(), min_size=6, max_size=6))
def test_an_excursion_is_a_sample_or_a_leader_with_a_few_changes_and_always_of_the_space(
    seed: int, bits: list[bool]
) -> None:
    leader = {d.parameter: str(int(bit)) for d, bit in zip(YES_NO, bits, strict=True)} | {"OUTSIDE": "7"}
    history = History()
    history.tell(Outcome(leader, 0.3))
    found = drawn(history, random.Random(seed), 40)
    assert all(SPACE.covers(settings) for settings in found)
    changed = [sum(settings[d.parameter] != leader[d.parameter] for d in YES_NO) for settings in found]
    assert sum(count <= excursions.MOST_CHANGES for count in changed) >= 40 * (1 - excursions.SAMPLED) / 3


def test_where_nothing_has_succeeded_every_excursion_is_a_sample() -> None:
    found = drawn(told([None, None]), random.Random(1), 10)
    assert all(settings["FIXED"] == "1" for settings in found)


def test_of_four_samples_the_second_by_expectation_is_tried_and_of_fewer_the_worst_that_is_no_further_down() -> None:
    assert excursions.second_best([0.1, 0.4, -2.0, 0.3]) == 3
    assert excursions.second_best([0.1, 0.4]) == 0
    assert excursions.second_best([0.1]) == 0


def test_a_search_that_stands_still_hardly_samples_what_it_knows_to_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SAMPLED": 1.0, "PATIENCE": 0, "EVERY": 1}.items():
        monkeypatch.setattr(excursions, name, value)
    search = BayesianSearch(SPACE, 1, dict)
    for number in range(30):
        settings = SPACE.sample(random.Random(number))
        search.tell(Outcome(settings, -2.0 * (settings["P1"] == "1") - 2.0 * (settings["P2"] == "1"), 0.0))
    asked = [search.ask() for _ in range(40)]
    both = sum(settings["P1"] == settings["P2"] == "1" for settings in asked)
    assert both <= 5  # one in four of what chance draws, one in twenty of what is the second of four
    assert {settings["P3"] for settings in asked} == {"0", "1"}
