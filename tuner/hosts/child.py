"""A piece of our own work that is done in a child, because native code in it may end its process, hang or take memory."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tuner.errors import TunerError
from tuner.hosts import keeping

_NO_FOLDERS: Final = frozenset({""})
_ALONE: Final = ("-I", "-S", "-X", "utf8")


class ChildFailed(TunerError):
    """The child did not do its work."""


def answered(program: Path, question: bytes, limit_s: float, most_bytes: int, *, alone: bool = False) -> bytes:
    """Return what the Python program of a file answers on its output to what it is given on its input.

    It has a session of its own, so that Ctrl-C is for this process alone, and is gone when this returns. One that is `alone`
    has the standard library only, and starts sooner.

    Raises:
        ChildFailed: it failed, took longer than `limit_s`, or answered more than `most_bytes`.

    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer:
        given.write(question)
        given.seek(0)
        argv = [sys.executable, *(_ALONE if alone else ("-P",)), str(program)]
        status = _status(argv, given.fileno(), answer.fileno(), limit_s)
        if status != 0:
            raise ChildFailed(f"{program.stem} {_ended(status)}")
        size = os.fstat(answer.fileno()).st_size
        if size > most_bytes:
            raise ChildFailed(f"{program.stem} answered {size} bytes, more than {most_bytes}")
        answer.seek(0)
        return answer.read()


def _status(argv: Sequence[str], given: int, answer: int, limit_s: float) -> int:
    folders = os.pathsep.join(folder for folder in sys.path if folder not in _NO_FOLDERS)
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONPATH": folders}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        child = keeping.start(argv, (given, answer, nowhere), Path("/"), environment)
    except TunerError as reason:
        raise ChildFailed(reason.message) from reason
    finally:
        os.close(nowhere)
    try:
        ended = child.ended(limit_s)
    finally:
        child.kill_group()
        status, _ = child.reap()
    if ended is None:
        raise ChildFailed(f"{Path(argv[-1]).stem} did not end within {limit_s:g} s")
    return status


def _ended(status: int) -> str:
    return f"ended with status {status}" if status > 0 else f"was ended by {signal.Signals(-status).name}"
