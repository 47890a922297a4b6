"""A session on a terminal of any size shows whole lines and leaves nothing behind; Ctrl-C ends it with what it has."""

from __future__ import annotations

import io
import math
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import fake
import pyte
import pytest
from pseudo_terminal import PseudoTerminal, everything, rows
from sessions import PLAN, polling_helps, tune

from tuner.cli.screen import view
from tuner.cli.screen.live import Live
from tuner.cli.screen.terminal import Terminal
from tuner.runs.simulated import SimulatedHost

TUNE = ("tune", "latency", "--optimizer", "random")
LABELS = ("begin", "calibrate", "search", "choose", "confirm", "minimise")
COLOUR = re.compile(rb"\x1b\[[0-9;]*3[0-9](;[0-9;]*)?m")


@pytest.fixture
def program(tmp_path: Path) -> str:
    return str(fake.install(tmp_path, slow_s=0.1))


def state(folder: Path) -> str:
    with sqlite3.connect(f"file:{folder / 'results' / 'tuner.db'}?mode=ro", uri=True) as database:
        return str(database.execute("select state from sessions").fetchone()[0])


def frames(screens: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the lines of the view, from each screen that has it."""
    found = []
    for screen in screens:
        starts = [at for at, line in enumerate(screen) if re.match(rf"({'|'.join(LABELS)}) .* left", line)]
        assert len(starts) <= 1, "\n".join(screen)
        found += [[line for line in screen[at:] if line] for at in starts]
    return found


def test_a_session_on_the_poorest_terminal_shows_whole_lines_in_ascii(tmp_path: Path, program: str) -> None:
    poor = {"LANG": "C", "LC_ALL": "C", "NO_COLOR": "1"}
    with PseudoTerminal((*TUNE, "--budget", "11s", "--sockperf", program), tmp_path, (40, 24), poor) as terminal:
        assert terminal.ended() == 0
        whole_views(terminal.screens, terminal.lines())
        assert not COLOUR.search(terminal.raw)
        assert terminal.raw.isascii()
        text = terminal.raw.decode().split("\r\n")
        fitting = [line for line in text if "results/" not in line and "session" not in line]
        assert max(len(re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", line)) for line in fitting) <= 40


def whole_views(screens: Sequence[Sequence[str]], ended: Sequence[str]) -> None:
    """Fail unless each screen has one view of whole lines at most, and the last view stays."""
    shown = frames(screens)
    assert len(shown) > 10
    assert max(map(len, shown)) <= 8
    assert all(re.match(r"\w* {2,}\S|", line) for frame in shown for line in frame)
    labels = [line.split()[0] for line in ended if line[:1].isalpha()]
    assert [labels.count(label) for label in ("measured", "trials", "now", *LABELS)] == [1, 1, 0] + [0] * len(LABELS)


class Sized(Terminal):
    """A terminal of a size, into which nobody looks."""

    shape: ClassVar[tuple[int, int]]

    def size(self) -> tuple[int, int]:
        return self.shape


class Seen(io.StringIO):
    """What is written, as the screen shows it after each piece."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.screen = pyte.HistoryScreen(*size, history=10_000)
        self.screen.set_mode(pyte.modes.LNM)
        self.stream = pyte.Stream(self.screen)
        self.screens: list[list[str]] = []

    def write(self, text: str) -> int:
        self.stream.feed(text)
        self.screens.append(rows(self.screen))
        return len(text)


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (30, 12)], ids="{0[0]}x{0[1]}".format)
def test_a_session_with_failures_shows_whole_lines_on_a_terminal_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    seen = Seen(size)
    monkeypatch.setattr(Sized, "shape", size, raising=False)
    with Live(Sized(seen, draws=True, colours=True), PLAN.budget_s) as live:
        host = SimulatedHost(lambda env: math.inf if "XLIO_TCP_NODELAY" in env else polling_helps(env))
        tune(tmp_path, host, progress=live)
    whole_views(seen.screens, everything(seen.screen))
    assert any(line.startswith("failed ") for line in rows(seen.screen))


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path, program: str) -> None:
    arguments = ("measure", "--runs", "1", "--sockperf", program)
    with PseudoTerminal(arguments, tmp_path, (80, 24), {"TERM": "dumb"}) as terminal:
        assert terminal.ended() == 0
        assert b"\x1b" not in terminal.raw
        assert "measure: up to" in terminal.text()


def test_a_window_that_is_made_narrower_keeps_one_view(tmp_path: Path, program: str) -> None:
    with PseudoTerminal((*TUNE, "--budget", "11s", "--sockperf", program), tmp_path, (80, 24)) as terminal:
        terminal.until(lambda: "search" in terminal.text() and "trials" in terminal.text())
        terminal.resize(50)
        terminal.screens.clear()
        terminal.until(lambda: len(frames(terminal.screens)) > 5)
        assert max(len(line) for line in frames(terminal.screens)[-1]) < 50


@pytest.mark.serial  # what is disturbed is not confirmed
def test_the_first_ctrl_c_confirms_what_is_best_so_far_and_writes_it(tmp_path: Path, program: str) -> None:
    with PseudoTerminal((*TUNE, "--budget", "20s", "--sockperf", program), tmp_path, (80, 24)) as terminal:
        terminal.until(lambda: "best  " in terminal.text())
        terminal.ctrl_c()
        terminal.until(lambda: "Ctrl-C again stops now" in re.sub(r"\s+", " ", terminal.text()))
        assert terminal.ended() == 0
        said = re.sub(r"\s+", " ", terminal.text())
        assert "improved: " in said
        assert "so the search was shorter" in said
        assert "^C" not in said
        assert COLOUR.search(terminal.raw)
        assert "×" in said
        assert state(tmp_path) == "done"
        assert list((tmp_path / "results").glob("*/best.toml"))


def test_the_second_ctrl_c_stops_at_once_and_the_session_can_go_on(tmp_path: Path, program: str) -> None:
    with PseudoTerminal((*TUNE, "--budget", "20s", "--sockperf", program), tmp_path, (80, 24)) as terminal:
        terminal.until(lambda: "best  " in terminal.text())
        terminal.ctrl_c()
        terminal.until(lambda: "stopping" in terminal.text())
        terminal.ctrl_c()
        assert terminal.ended() == 1
        assert "tuner sessions resume" in re.sub(r"\s+", " ", terminal.text())
        assert state(tmp_path) == "stopped"


def test_a_ctrl_c_without_time_for_a_proof_claims_nothing(tmp_path: Path) -> None:
    slow = str(fake.install(tmp_path, slow_s=0.5))
    with PseudoTerminal((*TUNE, "--budget", "11s", "--sockperf", slow), tmp_path, (80, 24)) as terminal:
        terminal.until(lambda: re.search(r"search .* [1-9] run", terminal.text()) is not None)
        terminal.ctrl_c()
        assert terminal.ended() == 1, terminal.text()
        assert "failed: not confirmed: stopped after" in re.sub(r"\s+", " ", terminal.text())
        assert state(tmp_path) == "stopped"
        assert not list((tmp_path / "results").glob("*/best.toml"))


def test_the_labels_of_the_view_leave_a_gap() -> None:
    assert max(map(len, (*LABELS, "measured", "stopping"))) < view.LABEL
