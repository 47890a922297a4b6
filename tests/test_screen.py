"""What is shown fits where it is shown: errors, bugs, the next steps, the view's lines, and characters."""

from __future__ import annotations

import io
import math
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import command_line
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.cli import main, manual, welcome
from tuner.cli.screen import failure
from tuner.cli.screen.terminal import PLAIN, adapt, speaks_unicode, terminal
from tuner.cli.screen.view import View, lines, sparkline
from tuner.cli.tree import COMMANDS, NOUNS
from tuner.errors import TunerError, error
from tuner.records import State
from tuner.results import Results

MANUAL = Path(__file__).parents[1] / "docs" / "man" / "tuner.1"
SMALL = os.terminal_size((60, 20))
MANY = TunerError(
    "this profile cannot be used",
    findings=[error(f"settings.XLIO_{at}", "the value 17 is not allowed here", "from 1 to 16") for at in range(40)],
    advice="see `tuner params list`",
)


class Screen(io.TextIOWrapper):
    """A terminal to write on."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1

    def text(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


def shown(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Return what stands for the terminal on standard error; called by the test, because pytest sets its own before it."""
    made = Screen()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setattr(os, "get_terminal_size", lambda _fd=0: SMALL)
    return made


def test_on_a_terminal_an_error_is_one_screen_that_says_how_much_it_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = shown(monkeypatch)
    assert failure.tell(MANY, []) == 1
    said = screen.text().splitlines()
    assert len(said) < SMALL.lines
    assert max(map(len, said)) <= SMALL.columns
    told = sum("XLIO_" in line for line in said)
    assert f"and {40 - told} more" in screen.text()
    assert said[-1] == "  → see `tuner params list`"


def test_in_a_pipe_an_error_is_told_whole(capsys: pytest.CaptureFixture[str]) -> None:
    failure.tell(MANY, [])
    assert capsys.readouterr().err.count("\n") == 42


def bug(debug: bool) -> int:
    known: dict[str, int] = {}
    try:
        return known["nothing"]
    except KeyError as found:
        return failure.tell_bug(found, ["tune"], debug=debug)


def test_a_bug_is_one_screen_with_its_place_and_keeps_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    screen = shown(monkeypatch)
    assert bug(debug=False) == 1
    said = " ".join(screen.text().split())
    assert "bug in tuner: KeyError: 'nothing' at test_screen.py:" in said
    assert "in bug;" in said
    assert "Traceback" not in said
    kept = next(tmp_path.glob("tuner-bug-*.txt")).read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in kept
    assert "arguments: ['tune']" in kept


def test_a_bug_shows_its_traceback_to_who_asks_for_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bug(debug=True)
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_bug_without_room_for_its_report_is_still_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert bug(debug=False) == 1
    assert "no file was written" in capsys.readouterr().err


def test_an_exception_of_a_command_is_told_as_a_bug(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(main, "program", broken)
    monkeypatch.setattr(sys, "argv", ["tuner", "check", "--json"])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == 1
    said = capsys.readouterr()
    assert "ZeroDivisionError: by zero" in said.err
    assert '"verdict": "failed"' in said.out


@pytest.mark.parametrize("sockperf", [True, False])
@pytest.mark.parametrize(
    ("state", "best"), [(None, False), (State.RUNNING, False), (State.DONE, False), (State.DONE, True)]
)
def test_without_arguments_there_are_three_things_to_type_that_this_program_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: State | None, best: bool, sockperf: bool
) -> None:
    from tuner.store import Store

    monkeypatch.setattr(shutil, "which", lambda name: name if sockperf else None)
    if state is not None:
        store = Store(Results(tmp_path).url)
        store.add_session("20260102-a-session", {}, {})
        store.close_session("20260102-a-session", state, 1.0, None)
        (tmp_path / "20260102-a-session").mkdir()
    if best:
        (tmp_path / "20260102-a-session" / "best.toml").write_text("", encoding="utf-8")
    steps = [
        s
        for s in welcome.steps(sockperf, welcome.latest(Results(tmp_path)))
        if s.command.split()[1] in (*COMMANDS, *NOUNS)
    ]
    assert len(steps) + (not sockperf) >= 3
    for step in steps:
        takes(step.command)
    said = welcome.text(Results(tmp_path), (*COMMANDS, *NOUNS))
    assert len(said.splitlines()) == 6
    assert ("apt-get install sockperf" in said) == (not sockperf)
    assert ("best.toml" in said) == (best and sockperf)


def takes(typed: str) -> None:
    """Fail unless the command line can be read; nothing is carried out."""
    import shlex

    words = shlex.split(typed)[1:]
    found, rest = command_line.command(words)
    found.make_context(found.name, rest)


def test_an_unreadable_database_is_no_session(tmp_path: Path) -> None:
    (tmp_path / "tuner.db").write_text("no database", encoding="utf-8")
    assert welcome.latest(Results(tmp_path)) is None


def test_the_manual_page_is_in_step_with_the_commands() -> None:
    assert MANUAL.read_text(encoding="utf-8") == manual.page(), "make man"


def test_the_manual_page_names_every_command_and_option() -> None:
    text = manual.page().replace("\\-", "-")
    assert [name for name in COMMANDS if f'.SS "tuner {name} ' not in text] == []
    assert [name for name in NOUNS if f'.SS "tuner {name} ' not in text] == []
    assert all(option in text for option in ("--budget", "--no-fast-start", "--stack-version", "EXIT STATUS"))
    assert text.isascii() or not any(line.startswith(("'", "\\")) for line in text.splitlines())


views = st.builds(
    View,
    budget_s=st.floats(1, 1e9),
    phase=st.sampled_from(["begin", "calibrate", "search"]),
    phase_s=st.floats(0, 1e5),
    left_s=st.floats(0, 1e5),
    runs=st.integers(0, 10_000),
    failed=st.integers(0, 100),
    best=st.text(max_size=100),
    settings=st.text(max_size=100),
    now=st.text(max_size=100),
    gains=st.lists(st.none() | st.floats(-9, 9), max_size=300).map(tuple),
    failures=st.lists(st.text(max_size=200), max_size=4).map(tuple),
    stopping=st.text(max_size=100),
    ended=st.booleans(),
)


@settings(max_examples=50)
@given(views, st.integers(12, 250))
def test_a_view_is_at_most_eight_lines_that_fit(view: View, width: int) -> None:
    drawn = lines(view, width)
    assert 1 <= len(drawn) <= 8
    assert all(len(line) <= width and len(line.splitlines()) <= 1 for _, line in drawn)


PICTURE = View(
    budget_s=90.0,
    phase="search",
    phase_s=33.0,
    left_s=52.0,
    runs=26,
    failed=1,
    best="candidate-8 ~11.11× (provisional, 95 % CI 10.6–11.6, n = 3 blocks)",
    settings="XLIO_RX_POLL=7295 XLIO_SELECT_POLL=-1 XLIO_TCP_NODELAY=1 XLIO_RX_POLL_YIELD=1",
    now="candidate-11, block 9",
    gains=(2.01, 2.02, 1.9, 0.4, 0.02, None, 2.39, 2.41, 2.2, 2.408),
    failures=("candidate-5: timeout: did not end within 6 s",),
)


def test_the_picture_on_the_page_about_the_terminal_is_what_is_drawn() -> None:
    page = (MANUAL.parents[1] / "terminal.md").read_text(encoding="utf-8")
    assert "\n".join(f"    {line}" for _, line in lines(PICTURE, 79)) in page


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not here")
def test_the_manual_page_is_set_without_a_warning() -> None:
    done = subprocess.run(
        ["groff", "-ww", "-z", "-man", "-Tutf8", MANUAL], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_sparkline_goes_from_the_worst_to_the_best_and_marks_failures() -> None:
    assert sparkline([0.0, math.log(2), None, math.log(8)], 40) == "▁▃×█  1–8×"
    assert sparkline([], 40) == ""
    assert sparkline([None], 40) == "×"
    assert sparkline([0.5] * 300, 30).count("▅") == 30 - len("  1.65–1.65×")


@given(st.text())
def test_a_terminal_without_utf_8_gets_as_many_ascii_characters(text: str) -> None:
    adapt(Screen(), {})
    assert len(text.encode(PLAIN)) == len(text)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
        ({"LC_ALL": "C", "LANG": "C.UTF-8"}, False),
        ({"LC_CTYPE": "en_US.UTF-8"}, True),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_the_locale_says_whether_a_terminal_shows_utf_8(environ: dict[str, str], expected: bool) -> None:
    assert speaks_unicode(environ) == expected


def test_a_pipe_stays_utf_8_whatever_the_locale() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    adapt(stream, {"LANG": "C"})
    stream.write("µs \x9b31m")
    stream.flush()
    assert stream.buffer.getvalue().decode() == "µs ?31m"
    assert terminal(stream, {"TERM": "xterm"}) is None


def test_a_signal_that_comes_while_a_line_is_written_waits_for_its_end() -> None:
    from tuner.cli.screen.progress import Lines

    class Interrupting(io.StringIO):
        def write(self, text: str) -> int:
            if "first" in text:
                watch.urgent("second")
            return super().write(text)

    said = Interrupting()
    watch = Lines(said)
    watch.note("first")
    assert said.getvalue() == "first\nsecond\n"
