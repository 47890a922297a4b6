"""Whatever stands where a command is told of a file, the command ends in time, with words, and leaves nothing: a few cases of `benchmarks/odd_files.py`."""

from __future__ import annotations

import subprocess
import sys

import odd_files
import pytest


@pytest.mark.timeout(120)
def test_no_odd_file_makes_a_command_hang_or_end_without_words() -> None:
    argv = [sys.executable, odd_files.__file__, "--short"]  # which forks, and pytest has threads
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"cases: {len(odd_files.SHORT)};" in done.stdout


@pytest.mark.parametrize(
    ("ended", "problem"),
    [
        (odd_files.Ended(None, "", "", 20.0), "hung"),
        (odd_files.Ended(-11, "", "error: x", 1.0), "exit status -11"),
        (odd_files.Ended(1, "", "", 1.0), "without words"),
        (odd_files.Ended(2, "", "error: \x1b]0;x\x07", 1.0), "steers"),
        (odd_files.Ended(1, "", "error: this is a bug in tuner", 1.0), "bug in tuner"),
        (odd_files.Ended(2, "", "error: x", 1.0, (".tuner-1-aa",)), "left .tuner-1-aa"),
    ],
)
def test_a_case_that_ended_badly_is_noticed(ended: odd_files.Ended, problem: str) -> None:
    assert any(problem in each for each in ended.problems())
    assert not list(odd_files.Ended(2, "", "error: no.toml does not exist", 0.1).problems())
