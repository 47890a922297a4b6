"""Configurations are joined where the recording shows no difference, and never where it shows one."""

from __future__ import annotations

import random
import statistics

import pytest
from alike import SHOWN, alike
from hypothesis import given
from hypothesis import strategies as st
from landscapes import recorded
from scipy.stats import kruskal
from search import TABLE

Runs = dict[tuple[str, ...], list[float]]


def noisy(levels: dict[str, float], seed: int, runs: int = 18) -> Runs:
    rng = random.Random(seed)
    return {(name,): [rng.gauss(level, 0.1) for _ in range(runs)] for name, level in levels.items()}


@pytest.mark.parametrize("seed", range(5))
def test_levels_that_are_far_apart_are_groups_in_their_order(seed: int) -> None:
    runs = noisy({"b1": 2.0, "a1": 0.0, "c1": 4.0}, seed)
    assert alike(runs) == [[("a1",)], [("b1",)], [("c1",)]]


def test_levels_that_are_one_are_mostly_one_group() -> None:
    found = [len(alike(noisy({f"c{n}": 1.0 for n in range(16)}, seed))) for seed in range(40)]
    assert found.count(1) >= 36


def test_two_levels_of_many_configurations_are_two_groups() -> None:
    low, high = {f"a{n}": 1.0 for n in range(8)}, {f"b{n}": 1.5 for n in range(8)}
    found = alike(noisy({**low, **high}, 3))
    assert [{name[0] for (name,) in group} for group in found] == [{"a"}, {"b"}]


def test_runs_that_are_all_the_same_are_one_group() -> None:
    assert alike({("a",): [1.0, 1.0], ("b",): [1.0, 1.0]}) == [[("a",), ("b",)]]


@given(
    st.dictionaries(
        st.tuples(st.text("abc", min_size=1, max_size=3)),
        st.lists(st.floats(-5, 5), min_size=3, max_size=6),
        min_size=1,
        max_size=8,
    )
)
def test_each_configuration_is_in_one_group_and_groups_keep_the_order_of_medians(runs: Runs) -> None:
    flat = [levels for group in alike(runs) for levels in group]
    assert sorted(flat) == sorted(runs)
    assert [statistics.median(runs[levels]) for levels in flat] == sorted(map(statistics.median, runs.values()))


def test_the_best_of_the_recorded_kernel_stack_show_no_difference_and_the_next_ones_do() -> None:
    table = recorded(TABLE)
    ran = {
        levels: [gain for gains in rounds for gain in gains if gain is not None]
        for levels, rounds in table.runs.items()
    }
    second, best = table.groups[-2:]
    assert kruskal(*(ran[levels] for levels in best)).pvalue > SHOWN
    assert kruskal(*(ran[levels] for levels in best + second)).pvalue < 1e-6
    assert len({table.gain(dict(zip(_searched(), levels, strict=True))) for levels in best}) == 1


def _searched() -> list[str]:
    return ["XLIO_RX_POLL", "XLIO_RX_POLL_YIELD", "XLIO_TCP_QUICKACK"]
