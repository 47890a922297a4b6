"""Whatever ends a session, what was measured is kept, nothing is left running, and the session can go on."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import command_line
import fake
import pytest

from tuner.interruption import AtOnce
from tuner.records import State
from tuner.results import Results
from tuner.store import Store

PATIENCE_S = 30.0
RUNS_BEFORE = 6


def tuner(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [*command_line.STARTED, *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stored_runs(folder: Path) -> int:
    try:
        with sqlite3.connect(f"file:{folder / 'results' / 'tuner.db'}?mode=ro", uri=True) as database:
            return int(database.execute("select count(*) from runs").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def left_running(program: Path) -> list[str]:
    """Return the command lines of processes that still run a program."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if str(program) in words and words[0] != "timeout":
            found.append(" ".join(words))
    return found


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return fake.install(tmp_path, slow_s=0.1)


def interrupted(folder: Path, program: Path, number: signal.Signals) -> tuple[int, str]:
    """Return the exit status and the last words of a tuning that got a signal after some runs."""
    process = tuner(folder, "tune", "latency", "--budget", "20s", "--sockperf", str(program))
    wait_for(lambda: stored_runs(folder) >= RUNS_BEFORE)
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, err


# What Ctrl-C does is in test_terminal.py, because it needs a terminal.
def test_a_terminated_session_says_how_to_go_on_and_leaves_nothing_running(tmp_path: Path, program: Path) -> None:
    status, err = interrupted(tmp_path, program, signal.SIGTERM)
    assert status == 1
    assert "tuner sessions resume" in err
    assert "Traceback" not in err
    wait_for(lambda: not left_running(program))
    listed = command_line.run(tmp_path, "sessions", "list", "--json", limit_s=PATIENCE_S)
    assert [row["state"] for row in json.loads(listed.stdout)] == ["stopped"]


@pytest.mark.long
def test_a_killed_session_keeps_its_runs_and_goes_on_to_its_verdict(tmp_path: Path, program: Path) -> None:
    interrupted(tmp_path, program, signal.SIGKILL)
    kept = stored_runs(tmp_path)
    assert kept >= RUNS_BEFORE
    resumed = ("sessions", "resume", "--json", "--sockperf", str(program))
    done = command_line.run(tmp_path, *resumed, limit_s=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"] == "improved"
    assert found["runs"] > kept
    assert stored_runs(tmp_path) == found["runs"]
    assert found["time"]["wall_s"] <= 20 * 1.1 + 2


def test_who_holds_the_key_down_stops_at_once_and_leaves_no_session_that_seems_to_run(
    tmp_path: Path, program: Path
) -> None:
    process = tuner(tmp_path, "tune", "latency", "--budget", "20s", "--sockperf", str(program))
    wait_for(lambda: stored_runs(tmp_path) >= RUNS_BEFORE)
    until_s = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < until_s:
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in err
    assert "tuner sessions resume" in err
    assert [each.state for each in Store.reading(Results(tmp_path / "results")).sessions()] == [State.STOPPED]


def test_it_is_stopped_once_until_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"s": 100.0}
    monkeypatch.setattr("tuner.interruption.time.monotonic", lambda: now["s"])
    at_once = AtOnce()
    for later_s, raises in ((0.0, True), (0.1, False), (2.0, False), (3.5, True), (3.6, False)):
        now["s"] = 100.0 + later_s
        with pytest.raises(KeyboardInterrupt) if raises else nullcontext():
            at_once(signal.SIGINT, None)
