"""How often a program's threads moved is read of the program and not of its launcher, and is unknown where nobody counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner.hosts.resident import migrations


def started(proc: Path, *moves: str) -> Path:
    """Write a launcher, 7, and its program, 8, whose threads have these lines in their `sched`."""
    children = proc / "7" / "task" / "7" / "children"
    children.parent.mkdir(parents=True)
    children.write_text("8 \n", encoding="ascii")
    for number, line in enumerate(moves, start=8):
        thread = proc / "8" / "task" / str(number)
        thread.mkdir(parents=True)
        (thread / "sched").write_text(
            f"sockperf ({number}, #threads: 2)\n---\n{line}\nnr_switches : 5\n", encoding="ascii"
        )
    return proc


def test_the_moves_of_all_threads_are_added(tmp_path: Path) -> None:
    lines = ("se.nr_migrations                  :                 130", "se.nr_migrations : 2")
    assert migrations(7, started(tmp_path, *lines)) == 132


@pytest.mark.parametrize("moves", [(), ("policy : 0",), ("se.nr_migrations : 3", "se.nr_migrations : many")])
def test_what_is_not_counted_for_every_thread_is_unknown(tmp_path: Path, moves: tuple[str, ...]) -> None:
    assert migrations(7, started(tmp_path, *moves)) is None


def test_a_program_that_is_gone_has_no_moves(tmp_path: Path) -> None:
    assert migrations(7, tmp_path) is None
