"""A search over the load ends, judges by long runs alone, and comes near the highest rate that holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.runs.rate_search import (
    FINE,
    LEAST_MPS,
    MOST_MPS,
    MOST_PROBES,
    Probe,
    Start,
    answer,
    following,
    long_run_s,
)

rates = st.integers(LEAST_MPS, MOST_MPS)


def searched(holds: Callable[[int], bool], start: Start) -> list[Probe]:
    probes: list[Probe] = []
    while asked := following(probes, start):
        probes.append(Probe(asked.offered_mps, asked.long, holds(asked.offered_mps)))
    return probes


@given(capacity=rates, start=rates, known=st.booleans())
def test_the_answer_is_within_the_fine_step_below_the_highest_rate_that_holds(
    capacity: int, start: int, known: bool
) -> None:
    probes = searched(lambda rate: rate <= capacity, Start(start, known))
    found = probes[answer(probes)]
    assert found.long
    assert found.held
    assert capacity / FINE - 1 <= found.offered_mps <= capacity


@given(pattern=st.lists(st.booleans(), min_size=MOST_PROBES, max_size=MOST_PROBES), start=rates, known=st.booleans())
def test_a_search_ends_whatever_the_runs_say_and_its_answer_held(pattern: list[bool], start: int, known: bool) -> None:
    said = iter(pattern)
    probes = searched(lambda _: next(said), Start(start, known))
    place = answer(probes)
    assert len(probes) <= MOST_PROBES
    assert all(LEAST_MPS <= probe.offered_mps <= MOST_MPS for probe in probes)
    assert place < 0 or (probes[place].held and probes[place].long)


def test_short_runs_come_first_and_long_ones_last() -> None:
    long = [probe.long for probe in searched(lambda rate: rate <= 123_456, Start())]
    assert long == sorted(long)
    assert 0 < long.count(False) <= 8
    assert 0 < long.count(True) <= 5


def test_a_search_that_knows_its_rate_takes_three_long_runs() -> None:
    probes = searched(lambda rate: rate <= 52_000, Start(50_000, known=True))
    assert [probe.long for probe in probes] == [True, True, True]


def test_what_no_load_holds_has_no_answer() -> None:
    probes = searched(lambda _: False, Start())
    assert answer(probes) == -1
    assert probes[-1].offered_mps == LEAST_MPS


@pytest.mark.parametrize(
    ("rate_mps", "tail_share", "asked_s", "lasts_s"),
    [(100_000, 0.01, 1, 2), (100_000, 0.001, 1, 2), (20_000, 0.001, 1, 6), (1000, 0.0001, 1, 10), (1000, 0.5, 30, 30)],
)
def test_a_long_run_is_as_long_as_its_percentile_needs(
    rate_mps: int, tail_share: float, asked_s: int, lasts_s: int
) -> None:
    assert long_run_s(rate_mps, 1, tail_share, asked_s) == lasts_s
