"""A host that fails under a session: the user reads what it was, the store stays whole, and the session is gone on with."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fake
import host_faults
import pytest

from tuner import stacks
from tuner.cli.screen import failure
from tuner.errors import MissingTool, TunerError, error
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import on_one
from tuner.runs import sockperf
from tuner.runs.run import Rig
from tuner.runs.workload import Workload

SHORT = {
    "store: write EIO after 60": "see what the disk has",
    "/lock: unlink EIO": "latency_p50_us",
    "clock: -3600 s after 3 s": "latency_p50_us",
    "descriptors: 16": "ulimit -n",
    "results moved": "was moved to",
}


@pytest.mark.serial
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("name", SHORT)
def test_a_session_says_what_its_host_did_and_loses_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "session").mkdir()
    outcome = host_faults.struck(host_faults.FAULTS[name], host_faults.built(tmp_path), tmp_path / "session")
    assert list(outcome.problems()) == [], outcome.said
    assert SHORT[name] in outcome.said


@pytest.mark.serial
def test_cpus_that_were_taken_away_are_no_profiles_fault(tmp_path: Path) -> None:
    rig = Rig(on_one(LocalHost()), stacks.named("kernel"), (), str(fake.install(tmp_path)), os_sockets=True)
    with pytest.raises(TunerError, match="CPU 4000, which this session measures on, was taken away"):
        rig.execute({}, Workload(server_cpus="4000"))


def test_a_folder_that_is_gone_and_limits_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, advice in ((errno.EMFILE, "ulimit -n"), (errno.EAGAIN, "ulimit -u"), (errno.EIO, "all runs are kept")):
        assert failure.told(OSError(number, os.strerror(number)), [], {}) == 1
        assert advice in capsys.readouterr().err
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert failure.told(OSError(errno.ENOENT, os.strerror(errno.ENOENT)), [], {}) == 1
    assert "the current folder was removed" in capsys.readouterr().err


def test_a_folder_for_temporary_files_that_is_gone_is_named_with_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    monkeypatch.setattr("tempfile.tempdir", str(gone))
    assert failure.told(OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(gone / "tuner-run-1")), [], {}) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "folder for temporary files" in said
    assert "TMPDIR" in said
    assert "all runs are kept" in said
    gone.mkdir()
    assert failure.told(OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(gone / "tuner-run-1")), [], {}) == 1
    assert "TMPDIR" not in capsys.readouterr().err


@pytest.mark.parametrize("named", ["a\nb.toml", "some/a\nb.toml", "--profile=some/a\nb.toml"])
def test_a_line_end_in_a_name_that_was_typed_begins_no_line(named: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = named.partition("=")[2] or named
    reason = TunerError(f"{path} is no profile", findings=[error(path, "does not exist")], advice=f"look at {path}")
    assert failure.told(reason, [named], {}) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all("a?b.toml" in line for line in lines)
    assert failure.told(OSError(errno.EIO, os.strerror(errno.EIO), path), [], {}) == 1
    assert "a?b.toml" in capsys.readouterr().err.splitlines()[0]


def deployed(folder: Path, broken: str, *words: str) -> tuple[int, str]:
    """Return the status of `tuner apply` with a file of a folder while its disk fails, and what it said."""
    said = {"XDG_STATE_HOME": str(folder / "state"), "HOME": str(folder)}
    said |= {"LD_PRELOAD": str(folder / "faulty.so"), "BROKEN": f"{broken}:{errno.EIO}:0"} if broken else {}
    argv = [sys.executable, "-m", "tuner", "apply", *words, "--yes"]
    done = subprocess.run(argv, env={**os.environ, **said}, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.serial
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize(
    "broken", ["write:.tuner-", "sync:.tuner-", "rename:app.env", "write:applied.", "sync:applied."]
)
def test_a_disk_that_fails_under_apply_leaves_the_old_file_and_a_way_on(tmp_path: Path, broken: str) -> None:
    host_faults.built(tmp_path)
    file = tmp_path / "app" / "app.env"
    file.parent.mkdir()
    file.write_text("ORIGINAL=1\n")
    words = ("latency", "--target", f"env:{file}")
    status, said = deployed(tmp_path, broken, *words)
    assert (status in {1, 2}, "Input/output error" in said, "nothing was changed" in said) == (True, True, True), said
    assert [(each.name, each.read_text()) for each in file.parent.iterdir()] == [("app.env", "ORIGINAL=1\n")]
    assert deployed(tmp_path, "", *words)[0] == 0
    assert deployed(tmp_path, "", "--undo", str(file))[0] == 0
    assert [(each.name, each.read_text()) for each in file.parent.iterdir()] == [("app.env", "ORIGINAL=1\n")]


@pytest.mark.serial
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_journal_that_fails_under_an_undo_does_not_hide_that_the_file_is_back(tmp_path: Path) -> None:
    host_faults.built(tmp_path)
    file = tmp_path / "app.env"
    file.write_text("ORIGINAL=1\n")
    assert deployed(tmp_path, "", "latency", "--target", f"env:{file}")[0] == 0
    status, said = deployed(tmp_path, "write:applied.", "--undo", str(file))
    assert status == 1
    assert f"{file} was put back, but: cannot write the journal" in " ".join(said.split())
    assert file.read_text() == "ORIGINAL=1\n"
    assert deployed(tmp_path, "", "--undo", str(file))[0] == 0
    assert file.read_text() == "ORIGINAL=1\n"


def test_a_limit_of_processes_is_no_other_program() -> None:
    with pytest.raises(TunerError, match=r"sockperf cannot be started: .*fork system call failed") as refused:
        sockperf.features("/usr/bin/timeout: fork system call failed: Resource temporarily unavailable\n", "")
    assert "ulimit -u" in refused.value.advice
    with pytest.raises(MissingTool, match="this is not sockperf"):
        sockperf.features("GNU bash, version 5.2\n", "")
