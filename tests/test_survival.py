"""Whatever kills the program, nothing that it started lives on, no folder of it stays, and the session goes on to its verdict."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import command_line
import fake
import kills
import pytest

from tuner import database_url, exclusive, stacks, temporary
from tuner.errors import StoreError
from tuner.hosts import keeping, turns
from tuner.hosts.host import Command
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import on_one
from tuner.records import Status
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.runs.workload import Workload
from tuner.session import alone
from tuner.session.measuring.clock import Clock
from tuner.session.workspace import Workspace
from tuner.store import Store

GONE_WITHIN_S = 3.0
PATIENCE_S = 30.0
GROUP, ALONE, DETACHED = "sleep 300", "setsid sleep 300", "(setsid sh -c 'sleep 300 & sleep 300' > /dev/null 2>&1 &)"

# Starts a program as a run does, says so, and waits to be killed.
STARTER = """
import sys, time
from tuner.hosts.host import Command
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import on_one
from tuner.records import Status
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.runs.workload import Workload
from tuner.session.measuring.clock import Clock

with LocalHost().site({}) as site:
    process = site.start(Command(("/bin/sh", "-c", sys.argv[1]), {"MARK": sys.argv[2]}), 200.0)
    time.sleep(0.3)
    print("started", flush=True)
    time.sleep(200)
"""


def wait_for(condition: Callable[[], bool], limit_s: float = PATIENCE_S) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def alive(mark: str) -> list[str]:
    """Return the command lines of the processes whose environment holds `MARK=mark`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"MARK={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return tmp_path.name + os.urandom(4).hex()


@pytest.fixture
def starter(tmp_path: Path, mark: str, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that has started a program of the shell, with a folder of its own for temporary files."""
    command = [sys.executable, "-c", STARTER, request.param, mark]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True) as made:
        assert made.stdout is not None
        assert made.stdout.readline() == "started\n"
        yield made
        made.kill()


@pytest.mark.parametrize("starter", [GROUP, ALONE, f"{DETACHED}; sleep 300"], indirect=True)
def test_what_a_killed_program_had_started_is_gone_with_its_folder(
    tmp_path: Path, mark: str, starter: subprocess.Popen[str]
) -> None:
    assert alive(mark)
    assert any(tmp_path.glob("tuner-run-*"))
    starter.kill()
    wait_for(lambda: not alive(mark), GONE_WITHIN_S)
    wait_for(lambda: not any(tmp_path.iterdir()), GONE_WITHIN_S)


@pytest.mark.parametrize("starter", [GROUP], indirect=True)
def test_a_signal_to_the_whole_group_of_the_program_ends_nothing_but_it(
    mark: str, starter: subprocess.Popen[str]
) -> None:
    os.killpg(starter.pid, signal.SIGKILL)
    starter.wait()
    wait_for(lambda: not alive(mark), GONE_WITHIN_S)


def test_what_detached_itself_is_gone_when_the_program_has_ended(mark: str) -> None:
    command = Command(("/bin/sh", "-c", f"{DETACHED}; sleep 0.2; echo done"), {"MARK": mark})
    assert LocalHost().output_of(command).stdout == "done\n"
    wait_for(lambda: not alive(mark), GONE_WITHIN_S)


def reaper(owner: int) -> int:
    """Return the number of the process that keeps the programs of another."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_one = b"tuner.hosts.reaper" in (entry / "cmdline").read_bytes()
            if is_one and f"\nPPid:\t{owner}\n" in (entry / "status").read_text(encoding="utf-8"):
                return int(entry.name)
    raise AssertionError("there is no reaper")


def test_where_the_reaper_is_killed_the_run_is_over_and_the_next_program_starts(
    mark: str, request: pytest.FixtureRequest
) -> None:
    # As in a program that took its signals back: to write to who is gone must not end this process.
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    request.addfinalizer(lambda: signal.signal(signal.SIGPIPE, before))
    with LocalHost().site({}) as site:
        process = site.start(Command(("/bin/sh", "-c", "sleep 300"), {"MARK": mark}), 200.0)
        wait_for(lambda: any("sleep" in each for each in alive(mark)))
        os.kill(reaper(os.getpid()), signal.SIGKILL)
        process.kill_group()
        assert process.result().exit_status == -signal.SIGKILL
    wait_for(lambda: not alive(mark), GONE_WITHIN_S)
    assert LocalHost().output_of(Command(("/bin/echo", "again"), {})).stdout == "again\n"


@pytest.mark.parametrize("starter", [GROUP], indirect=True)
def test_what_stays_where_all_of_it_is_killed_is_swept_by_the_next_program(
    tmp_path: Path, starter: subprocess.Popen[str]
) -> None:
    os.kill(reaper(starter.pid), signal.SIGKILL)
    starter.kill()
    starter.wait()
    assert any(tmp_path.glob("tuner-run-*"))
    command = [sys.executable, "-c", "from tuner.hosts.keeping import _made; _made()"]
    subprocess.run(command, env={**os.environ, "TMPDIR": str(tmp_path)}, check=True, timeout=PATIENCE_S)
    assert not any(tmp_path.iterdir())


def test_only_folders_of_ours_whose_owner_is_gone_are_swept(tmp_path: Path) -> None:
    def made(name: str, mode: int = 0o700) -> Path:
        path = tmp_path / name
        path.mkdir(mode=mode)
        path.chmod(mode)
        (path / "server.log").touch()
        return path

    me, dead = f"{os.getpid()}-{temporary.birth(os.getpid())}", "4194303-1"
    swept = [made(f"tuner-run-{dead}-aa"), made(f"tuner-store-{os.getpid()}-1-aa")]
    kept = [made(f"tuner-run-{me}-bb"), made(f"tuner-run-{dead}-cc", 0o755), made("tuner-run-dd"), made(f"x-{dead}-ee")]
    (tmp_path / f"tuner-run-{dead}-link").symlink_to(kept[0])
    locked = made(f"tuner-run-{dead}-ff")
    held = os.open(locked, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert sorted(temporary.sweep(tmp_path)) == sorted(swept)
    os.close(held)
    assert all((each / "server.log").exists() for each in [*kept, locked])
    assert temporary.sweep(tmp_path) == [locked]


def tuner(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [*command_line.STARTED, *arguments]
    environment = {**os.environ, "TUNER_LOCKS": str(folder), "TMPDIR": str(folder)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Yield a session that is under way, and the words that name its benchmark."""
    named = ["--sockperf", str(fake.install(tmp_path, slow_s=0.1))]
    with tuner(tmp_path, "tune", "latency", "--budget", "60s", *named) as process:
        wait_for(lambda: stored_runs(tmp_path) >= 2)
        yield process, named
        process.kill()


def stored_runs(folder: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{folder / 'results' / 'tuner.db'}?mode=ro", uri=True)) as database:
            return int(database.execute("select count(*) from runs").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def test_resuming_a_session_that_runs_is_refused_in_words(
    tmp_path: Path, running: tuple[subprocess.Popen[str], list[str]]
) -> None:
    process, named = running
    second = tuner(tmp_path, "sessions", "resume", *named)
    _, err = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 75
    assert f"is under way: session {session_of(tmp_path)} (process {process.pid}), since 20" in " ".join(err.split())
    process.kill()
    process.wait()
    before = stored_runs(tmp_path)
    again = tuner(tmp_path, "sessions", "resume", *named)
    wait_for(lambda: stored_runs(tmp_path) > before)
    again.send_signal(signal.SIGTERM)
    _, err = again.communicate(timeout=PATIENCE_S)
    assert "is under way" not in err


def test_a_session_that_is_killed_says_how_it_is_gone_on_with_and_one_that_ends_does_not(
    tmp_path: Path, running: tuple[subprocess.Popen[str], list[str]]
) -> None:
    process, named = running
    process.kill()
    _, err = process.communicate(timeout=PATIENCE_S)
    session = session_of(tmp_path)
    assert err.endswith(f"Every finished run is kept. To continue: tuner sessions resume {session}\n")
    with tuner(tmp_path, "measure", "--runs", "1", *named) as whole:
        assert "To continue" not in whole.communicate(timeout=PATIENCE_S)[1]


def test_a_run_while_the_session_was_stopped_is_no_time_out_and_is_made_again(tmp_path: Path) -> None:
    named = ["--sockperf", str(fake.install(tmp_path, slow_s=0.1))]
    with tuner(tmp_path, "measure", "--runs", "4", "--json", *named) as process:
        wait_for(lambda: stored_runs(tmp_path) >= 1)
        process.send_signal(signal.SIGSTOP)
        time.sleep(8)
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert "was stopped and goes on" in err
    assert "timeout" not in err
    assert json.loads(out)["metrics"]["latency_p50_us"]["runs"] >= 4


def test_the_time_that_a_process_was_stopped_is_not_its_budgets() -> None:
    now = [0.0]
    clock = Clock(60.0, 0.0, 0.0, lambda: now[0])
    now[0] = 2.0
    assert not clock.stood_still()
    now[0], clock.stood = 50.0, True
    assert clock.stood_still()
    assert not clock.stood_still()
    now[0] = 51.0
    assert clock.spent_s() == 3.0


def test_an_end_that_two_threads_wait_for_is_taken_once(tmp_path: Path) -> None:
    with (tmp_path / "nothing").open("w+b") as nothing:
        kept = keeping.start(("/bin/sleep", "0.3"), (nothing.fileno(),) * 3, tmp_path, {})
        with ThreadPoolExecutor() as pool:
            ends = list(pool.map(lambda _: kept.ended(PATIENCE_S), range(8)))
    assert ends == [ends[0]] * 8
    assert ends[0] is not None
    assert ends[0][0] == 0


def test_results_that_were_removed_while_a_session_ran_are_no_improvement(tmp_path: Path) -> None:
    named = ["--sockperf", str(fake.install(tmp_path, slow_s=0.1))]
    with tuner(tmp_path, "measure", "--runs", "3", *named) as process:
        wait_for(lambda: stored_runs(tmp_path) >= 1)
        shutil.rmtree(tmp_path / "results")
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (1, "")
    assert "results was removed or replaced while session" in " ".join(err.split())


def test_results_that_were_moved_while_a_session_ran_are_said_to_be_where_they_are(tmp_path: Path) -> None:
    at = Workspace(tmp_path / "results").locked_results
    assert at is not None
    Store(at.url).add_session("20260101-a", {}, {})

    def moved() -> None:
        with alone.of_session(at, "20260101-a"):
            at.folder.rename(tmp_path / "elsewhere")

    with pytest.raises(StoreError, match=r"was moved to .*/elsewhere while session 20260101-a ran") as caught:
        moved()
    assert caught.value.advice.endswith(f"--results {tmp_path / 'elsewhere'}")


def test_a_lock_that_cannot_be_removed_takes_nothing_from_who_held_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with exclusive.held(tmp_path / "lock", "a test"):
        monkeypatch.setattr(Path, "unlink", refused)
    with exclusive.held(tmp_path / "lock", "another"):
        pass


@pytest.mark.parametrize("name", ["tuner.db", "other.db"])
def test_a_database_that_was_removed_before_the_session_had_its_lock_is_missed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "results" / name
    at = Workspace(tmp_path, database_url.of_file(path)).locked_results
    assert at is not None
    store = Store(at.url)
    store.add_session("20260101-a", {}, {})
    with alone.of_session(at, "20260101-a"):
        pass
    path.unlink()
    with (
        pytest.raises(StoreError, match="was removed or replaced while session 20260101-a ran"),
        alone.of_session(at, "20260101-a"),
    ):
        pass


@pytest.mark.parametrize("factor", [1e-9, 1e12])
def test_latencies_that_cannot_be_are_no_measurement(factor: float) -> None:
    host = SimulatedHost(lambda _environment: 36.0 * factor)
    rig = Rig(on_one(host), stacks.named("kernel"), (Path("/lib/libtuner_kernel.so"),), "sockperf", os_sockets=True)
    run = rig.execute({}, Workload())
    assert (run.status, run.measurement) == (Status.FAILED, None)
    assert "which cannot be" in run.reason or "did not" in run.reason


@pytest.mark.long
def test_a_kill_and_a_power_cut_lose_nothing_and_change_no_answer() -> None:
    found = kills.measured(2, kinds=(kills.SIMULATED, kills.STAND_IN))
    assert [each for each in found if not each.good] == []


def session_of(folder: Path) -> str:
    (lock,) = folder.glob("results/*/lock")
    return lock.parent.name


def test_a_second_session_on_a_host_waits_for_its_turn_and_says_for_whom_or_is_refused(
    tmp_path: Path, running: tuple[subprocess.Popen[str], list[str]]
) -> None:
    process, named = running
    refused = tuner(tmp_path, "measure", "--no-wait", "--results", "other", *named)
    out, err = refused.communicate(timeout=PATIENCE_S)
    whose = f"session {session_of(tmp_path)} (process {process.pid}), since 20"
    assert (refused.returncode, out) == (75, "")
    assert f"the host is taken: {whose}" in " ".join(err.split())
    waiting = tuner(tmp_path, "measure", "--runs", "1", "--results", "other", *named)
    assert waiting.stderr is not None
    said = waiting.stderr.readline()
    assert said.startswith(f"waiting for the host, which has one session at a time: {whose}")
    process.kill()
    _, err = waiting.communicate(timeout=PATIENCE_S)
    assert waiting.returncode == 0
    assert "s for the host" in err


def test_ctrl_c_ends_the_waiting(tmp_path: Path, running: tuple[subprocess.Popen[str], list[str]]) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # where it is ignored, programs inherit that
    waiting = tuner(tmp_path, "measure", "--runs", "1", "--results", "other", *running[1])
    signal.signal(signal.SIGINT, before)
    assert waiting.stderr is not None
    assert "waiting for the host" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=PATIENCE_S)
    assert waiting.returncode != 0
    assert "Traceback" not in err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("what", ["link", "folder", "pipe", "closed"])
def test_what_somebody_put_in_the_place_of_the_hosts_lock_is_not_followed_and_hinders_nobody(
    tmp_path: Path, what: str
) -> None:
    lock, target = tmp_path / "tuner-measures.lock", tmp_path / "target"
    target.write_text("mine", encoding="utf-8")
    match what:
        case "link":
            lock.symlink_to(target)
        case "folder":
            lock.mkdir()
        case "pipe":
            os.mkfifo(lock)
        case "closed":
            lock.touch(mode=0o400)
    with turns.taken(tmp_path, "session x") as turn:
        assert (turn is None) is (what != "closed")
    assert target.read_text(encoding="utf-8") == "mine"


def test_what_others_wrote_into_the_lock_is_only_words(tmp_path: Path) -> None:
    lock = tmp_path / "tuner-measures.lock"
    for text in ('{"what": "evil", "pid": 1}', "[[[[", "{}", '{"pid": "x"}', "\x00" * 9000, "[1]"):
        lock.write_text(text, encoding="utf-8")
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with pytest.raises(exclusive.Taken) as taken, turns.taken(tmp_path, "session x"):
                pytest.fail("it was had")
        assert str(os.getpid()) in str(taken.value)
        assert "evil" not in str(taken.value)
