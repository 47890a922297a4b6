"""Random socket programs see the same under the kernel stack's library as on plain sockets; longer: `benchmarks/oracle.py`."""

from __future__ import annotations

from pathlib import Path

import oracle
import pytest
from preload_builds import compile_library

FIRST, PROGRAMS = 500, 8
SEES_AN_EDGE_MORE = 272
HELD_BACK = 1000441


@pytest.fixture(scope="module")
def plain() -> oracle.Outcomes:
    return oracle.played(FIRST, PROGRAMS, None)


def test_a_program_does_the_same_each_time(plain: oracle.Outcomes) -> None:
    assert list(plain) == [*range(FIRST, FIRST + PROGRAMS)]
    assert all(len(steps) == 40 for steps in plain.values())
    again = oracle.played(FIRST, PROGRAMS, None)
    assert sum(again[seed] == plain[seed] for seed in plain) >= PROGRAMS - 2  # a busy host may be late once


@pytest.mark.parametrize("settings", oracle.SETTINGS.values(), ids=oracle.SETTINGS)
def test_programs_see_under_the_library_what_they_see_without(plain: oracle.Outcomes, settings: dict[str, str]) -> None:
    seen = oracle.played(FIRST, PROGRAMS, settings)
    odd = [seed for seed in plain if seen.get(seed) != plain[seed]]
    again = [seed for seed in odd if oracle.differs(seed, settings)]
    assert [seed for seed in again if not oracle.acknowledges(seed, settings)] == []


def test_a_program_that_quick_acknowledgements_alone_change_is_told_apart() -> None:
    polls = oracle.SETTINGS["polls a while"]
    assert any(oracle.acknowledges(SEES_AN_EDGE_MORE, polls) for _ in range(3))  # a busy host may be late once
    assert not oracle.acknowledges(SEES_AN_EDGE_MORE, oracle.SETTINGS["as it is"])


def test_a_library_that_tells_something_else_is_found_out(tmp_path: Path, plain: oracle.Outcomes) -> None:
    seen = oracle.played(FIRST, PROGRAMS, {}, compile_library(tmp_path, "liar.c"))
    assert any(seen.get(seed) != plain[seed] for seed in plain)


@pytest.mark.parametrize("setting", ["polls a while", "polls for ever"])
def test_what_a_child_sends_behind_a_receive_is_there_before_the_next_step(setting: str) -> None:
    """TCP_NODELAY, which a setting may set, lets come at once what the kernel holds back elsewhere until an acknowledgement."""
    assert not oracle.differs(HELD_BACK, oracle.SETTINGS[setting])
