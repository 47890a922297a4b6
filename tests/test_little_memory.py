"""Too little memory is said before anything is measured, and ends nothing in native code."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import fake
import pytest

from tuner.cli.screen import failure
from tuner.errors import of_memory
from tuner.hosts.become import inherited

TOO_LITTLE_BYTES = 460 << 20


def limited(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "TUNER_LOCKS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (TOO_LITTLE_BYTES, TOO_LITTLE_BYTES)),
    )


def test_a_session_without_the_memory_that_it_takes_does_not_begin(tmp_path: Path) -> None:
    done = limited(tmp_path, "-m", "tuner", "tune", "latency", "--sockperf", str(fake.install(tmp_path)))
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is not enough memory within the 460 MB that this process may have" in done.stderr
    assert "raise the limit" in done.stderr


@pytest.mark.parametrize(
    "reason",
    [
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        ImportError("x.so: failed to map segment from shared object"),
    ],
)
def test_want_of_memory_is_no_bug_however_it_is_said(reason: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert failure.told(reason, [], {}) == 1
    assert "there is not enough memory" in capsys.readouterr().err
    assert not of_memory(ImportError("No module named 'x'"))


def test_the_one_thread_of_our_own_linear_algebra_is_not_handed_to_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    for started, kept in ((b"A=b\0", None), (b"OPENBLAS_NUM_THREADS=1\0", "1")):
        (tmp_path / "environ").write_bytes(started)
        assert inherited(tmp_path / "environ").get("OPENBLAS_NUM_THREADS") == kept
    asked = "import os; from tuner.cli import entry; entry.sys.argv = ['tuner', '--version']\ntry: entry.main()\nfinally: print(os.environ['OPENBLAS_NUM_THREADS'])"
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("\n1\n"), done.stderr
