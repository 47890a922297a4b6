"""A piece of our own work that is done in a child, because native code in it may end its process, hang or take memory."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tuner.errors import TunerError

_NO_FOLDERS: Final = frozenset({""})


class ChildFailed(TunerError):
    """The child did not do its work."""


def answered(program: Path, question: bytes, limit_s: float, most_bytes: int) -> bytes:
    """Return what the Python program of a file answers on its output to what it is given on its input.

    It has a session of its own, so that Ctrl-C is for this process alone, and is gone when this returns.

    Raises:
        ChildFailed: it failed, took longer than `limit_s`, or answered more than `most_bytes`.

    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer:
        given.write(question)
        given.seek(0)
        status = _status(program, given.fileno(), answer.fileno(), limit_s)
        if status != 0:
            raise ChildFailed(f"{program.stem} {_ended(status)}")
        size = os.fstat(answer.fileno()).st_size
        if size > most_bytes:
            raise ChildFailed(f"{program.stem} answered {size} bytes, more than {most_bytes}")
        answer.seek(0)
        return answer.read()


def _status(program: Path, given: int, answer: int, limit_s: float) -> int:
    folders = os.pathsep.join(folder for folder in sys.path if folder not in _NO_FOLDERS)
    try:
        child = subprocess.Popen(  # noqa: S603 - this interpreter with a file of this package
            [sys.executable, "-P", str(program)],
            stdin=given,
            stdout=answer,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONPATH": folders},
            start_new_session=True,
        )
    except OSError as reason:
        raise ChildFailed(f"{program.stem} cannot be started: {reason.strerror}") from reason
    try:
        return child.wait(limit_s)
    except subprocess.TimeoutExpired as reason:
        raise ChildFailed(f"{program.stem} did not end within {limit_s:g} s") from reason
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _ended(status: int) -> str:
    return f"ended with status {status}" if status > 0 else f"was ended by {signal.Signals(-status).name}"
