"""A kept session of a rival stands in for a new one only while everything that decides it is the same."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import kept
import pytest
import rivals
import search
from hypothesis import given
from hypothesis import strategies as st
from kept import Outcome, Played

PLAYED = Played("Optuna TPE", "optuna-5.0.0", "8", 60, 3, "0123456789ab")


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "gains.csv"
    other = replace(PLAYED, seed=4)
    kept.append(path, PLAYED, Outcome((0.5,), 1.25))
    kept.append(path, other, Outcome((-math.inf,), 0.0))
    assert kept.read(path) == {PLAYED: Outcome((0.5,), 1.2), other: Outcome((-math.inf,), 0.0)}


def test_a_session_whose_cpu_time_says_nothing_is_kept_without_it(tmp_path: Path) -> None:
    path = tmp_path / "gains.csv"
    kept.append(path, PLAYED, Outcome((0.5,), None))
    assert kept.read(path) == {PLAYED: Outcome((0.5,), None)}


def test_a_median_of_seconds_says_of_how_many_sessions_it_is() -> None:
    timed, untimed = Outcome((0.5,), 3.0), Outcome((0.5,), None)
    assert search.seconds([timed, timed]) == "3.0"
    assert search.seconds([timed, timed, untimed]) == "3.0 (2 seeds)"
    assert (search.seconds([untimed]), search.seconds([])) == ("–", "–")


def test_where_nothing_was_kept_nothing_is_known(tmp_path: Path) -> None:
    assert kept.read(tmp_path / "none.csv") == {}


@given(st.lists(st.floats(1.0, 100.0), min_size=1, max_size=5), st.integers(0, 4))
def test_another_latency_gives_another_fingerprint(latencies_us: list[float], index: int) -> None:
    at = index % len(latencies_us)
    changed = [*latencies_us[:at], latencies_us[at] * 1.001, *latencies_us[at + 1 :]]
    assert kept.fingerprint(latencies_us) == kept.fingerprint(tuple(latencies_us))
    assert kept.fingerprint(latencies_us) != kept.fingerprint(changed)


@pytest.mark.parametrize("name", [*map(str, search.SIZES), search.STEPPED, search.TABLE.stem])
def test_every_landscape_and_seed_has_its_own_fingerprint(name: str) -> None:
    prints = {search.played(search.OURS, name, 60, seed).fingerprint for seed in range(5)}
    assert len(prints) == 5


def test_a_comparison_computes_only_what_is_missing_and_only_when_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SIZES", (8,))
    path = tmp_path / "gains.csv"
    without = search.compare(20, 1, ["random", "Optuna TPE"], complete=False, path=path)
    assert (without.rivals, path.exists()) == (("random",), False)
    whole = search.compare(20, 1, ["random", "Optuna TPE"], complete=True, path=path)
    assert (whole.rivals, len(kept.read(path))) == (("random", "Optuna TPE"), 3)
    again = search.compare(20, 1, ["random", "Optuna TPE"], complete=False, path=path)
    assert again.rivals == whole.rivals
    assert len(kept.read(path)) == 3


def test_a_cell_says_when_it_has_fewer_seeds_than_the_others() -> None:
    assert search.cell([0.0, 0.0], 2) == "1.00 (1.00)"
    assert search.cell([0.0], 2) == "1.00 (1.00, 1 seed)"
    assert search.cell([], 2) == "–"


def test_what_is_kept_was_computed_on_the_landscapes_of_now() -> None:
    known = kept.read(search.KEPT)
    stale = [
        one
        for one in known
        if one.fingerprint != search.played(search.OURS, one.landscape, one.runs, one.seed).fingerprint
    ]
    assert known
    assert (stale, {one.rival for one in known} <= set(rivals.EVERY)) == ([], True)
