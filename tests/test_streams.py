"""Closed and full streams, and an early Ctrl-C, end with the right status and without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = f"{sys.executable} -m tuner"
ROOT = Path(__file__).parents[1]


def shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", f"{command}; echo status $? >&7"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: os.dup2(1, 7),
        pass_fds=(7,),
    )


@pytest.mark.parametrize(
    ("redirected", "status"),
    [
        (">&-", 0),
        ("2>&-", 0),
        (">&- 2>&-", 0),
        ("<&-", 0),
        ("<&- >&- 2>&-", 0),
        ("> /dev/full", 1),
        ("2> /dev/full", 0),
    ],
)
def test_a_stream_that_is_closed_or_full_is_no_reason_for_a_traceback(
    tmp_path: Path, redirected: str, status: int
) -> None:
    done = shell(tmp_path, f"{PROGRAM} params list {redirected}")
    assert f"status {status}\n" in done.stdout
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if redirected == "> /dev/full":
        assert "cannot write to standard output: No space left on device" in done.stderr


def test_a_database_never_gets_the_number_of_a_standard_stream(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from tuner.cli import entry\n"
        "entry._open_missing_streams()\n"
        "number = os.open('database', os.O_CREAT | os.O_RDWR)\n"
        "print('lost'); sys.stderr.write('lost'); sys.stdout.flush(); sys.stderr.flush()\n"
        "os.write(number, b'data %d' % (number > 2))\n"
    )
    (tmp_path / "code.py").write_text(code)
    shell(tmp_path, f"{sys.executable} code.py <&- >&- 2>&-")
    assert (tmp_path / "database").read_text() == "data 1"


def test_an_error_is_told_where_output_is_closed(tmp_path: Path) -> None:
    done = shell(tmp_path, f"{PROGRAM} sessions show >&-")
    assert "status 2\n" in done.stdout
    assert "there are no sessions" in done.stderr


def test_an_interrupt_while_the_commands_are_loaded_ends_without_a_traceback(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from tuner.cli.entry import main\n"
        "class Slow:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'tuner.cli.main':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_the_beginning_imports_nothing_that_an_interrupt_could_fall_into() -> None:
    # What Python has loaded before any program begins is asked for, not assumed: it differs between releases.
    asked = "import sys; before = set(sys.modules); import tuner.cli.entry; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {asked}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    heavy = {"enum", "re", "typing", "signal", "functools", "contextlib"}
    assert heavy & set(done.stdout.split()) == set()
