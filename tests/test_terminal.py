"""A session on a terminal of any size shows whole lines and leaves nothing behind; Ctrl-C ends it with what it has."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import fake
import pytest
from pseudo_terminal import PseudoTerminal

from tuner.cli import view

TUNE = ("tune", "latency", "--optimizer", "random")
LABELS = ("begin", "calibrate", "search", "choose", "confirm", "minimise")
COLOUR = re.compile(rb"\x1b\[[0-9;]*3[0-9](;[0-9;]*)?m")


@pytest.fixture
def program(tmp_path: Path) -> str:
    return str(fake.install(tmp_path, slow_s=0.1))


def state(folder: Path) -> str:
    with sqlite3.connect(f"file:{folder / 'results' / 'tuner.db'}?mode=ro", uri=True) as database:
        return str(database.execute("select state from sessions").fetchone()[0])


def frames(terminal: PseudoTerminal) -> list[list[str]]:
    """Return the lines of the view, from each screen that has it."""
    found = []
    for screen in terminal.screens:
        starts = [at for at, line in enumerate(screen) if re.match(rf"({'|'.join(LABELS)}) .* left", line)]
        assert len(starts) <= 1, "\n".join(screen)
        found += [[line for line in screen[at:] if line] for at in starts]
    return found


@pytest.mark.parametrize(
    ("size", "environ"),
    [((80, 24), {}), ((200, 50), {"NO_COLOR": "1"}), ((40, 24), {}), ((80, 24), {"LANG": "C", "LC_ALL": "C"})],
    ids=["80x24", "200x50 without colour", "40 columns", "without UTF-8"],
)
def test_a_session_shows_one_view_of_whole_lines_and_ends_with_it(
    tmp_path: Path, program: str, size: tuple[int, int], environ: dict[str, str]
) -> None:
    with PseudoTerminal((*TUNE, "--budget", "12s", "--sockperf", program), tmp_path, size, environ) as terminal:
        assert terminal.ended() == 0
        shown = frames(terminal)
        assert len(shown) > 10
        assert max(map(len, shown)) <= 8
        assert all(re.match(r"\w* {2,}\S|", line) for frame in shown for line in frame)
        labels = [line.split()[0] for line in terminal.lines() if line[:1].isalpha()]
        assert [labels.count(label) for label in ("measured", "trials", "now", *LABELS)] == [1, 1, 0] + [0] * len(
            LABELS
        )
        assert bool(COLOUR.search(terminal.raw)) == ("NO_COLOR" not in environ)
        assert terminal.raw.isascii() == ("LC_ALL" in environ)
        whole = [
            line for line in terminal.raw.decode().split("\r\n") if "results/" not in line and "session" not in line
        ]
        assert max(len(re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", line)) for line in whole) <= size[0]


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path, program: str) -> None:
    arguments = ("compare", "default", "latency", "--budget", "6s", "--sockperf", program)
    with PseudoTerminal(arguments, tmp_path, (80, 24), {"TERM": "dumb"}) as terminal:
        assert terminal.ended() == 0
        assert b"\x1b" not in terminal.raw
        assert "confirm: up to 6 s" in terminal.text()


def test_a_window_that_is_made_narrower_keeps_one_view(tmp_path: Path, program: str) -> None:
    with PseudoTerminal((*TUNE, "--budget", "12s", "--sockperf", program), tmp_path, (80, 24)) as terminal:
        terminal.until(lambda: "search" in terminal.text() and "trials" in terminal.text())
        terminal.resize(50)
        terminal.screens.clear()
        terminal.until(lambda: len(frames(terminal)) > 5)
        assert max(len(line) for line in frames(terminal)[-1]) < 50


def test_the_first_ctrl_c_confirms_what_is_best_so_far_and_writes_it(tmp_path: Path, program: str) -> None:
    with PseudoTerminal((*TUNE, "--budget", "40s", "--sockperf", program), tmp_path, (80, 24)) as terminal:
        terminal.until(lambda: "best  " in terminal.text())
        terminal.ctrl_c()
        terminal.until(lambda: "Ctrl-C again stops now" in re.sub(r"\s+", " ", terminal.text()))
        assert terminal.ended() == 0
        said = re.sub(r"\s+", " ", terminal.text())
        assert "improved: " in said
        assert "so the search was shorter" in said
        assert "^C" not in said
        assert state(tmp_path) == "done"
        assert list((tmp_path / "results").glob("*/best.toml"))


def test_the_second_ctrl_c_stops_at_once_and_the_session_can_go_on(tmp_path: Path, program: str) -> None:
    with PseudoTerminal((*TUNE, "--budget", "40s", "--sockperf", program), tmp_path, (80, 24)) as terminal:
        terminal.until(lambda: "best  " in terminal.text())
        terminal.ctrl_c()
        terminal.until(lambda: "stopping" in terminal.text())
        terminal.ctrl_c()
        assert terminal.ended() == 1
        assert "tuner sessions resume" in re.sub(r"\s+", " ", terminal.text())
        assert state(tmp_path) == "stopped"


def test_a_ctrl_c_without_time_for_a_proof_claims_nothing(tmp_path: Path) -> None:
    slow = str(fake.install(tmp_path, slow_s=0.9))
    with PseudoTerminal((*TUNE, "--budget", "12s", "--sockperf", slow), tmp_path, (80, 24)) as terminal:
        terminal.until(lambda: re.search(r"search .* [1-9] run", terminal.text()) is not None)
        terminal.ctrl_c()
        assert terminal.ended() == 1
        assert "failed: not confirmed: stopped after" in re.sub(r"\s+", " ", terminal.text())
        assert state(tmp_path) == "stopped"
        assert not list((tmp_path / "results").glob("*/best.toml"))


def test_the_labels_of_the_view_leave_a_gap() -> None:
    assert max(map(len, (*LABELS, "measured", "stopping"))) < view.LABEL
