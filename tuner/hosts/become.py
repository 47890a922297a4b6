"""This process becomes another program, which then has its place, its terminal and its exit status, as with `env`."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from tuner.errors import ProgramNotExecutable, ProgramNotFound, UsageError

SHELL: Final = "/bin/sh"
# What the C library looks through where there is no PATH.
_NO_PATH: Final = "/bin:/usr/bin"
# execvp(3) goes on to the next folder where a file is not there, or not to be reached.
_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ETIMEDOUT})
# What is set here for this process alone: by PEP 538 where the locale is C, before any of our code, and by `tuner.cli.entry`.
_FOR_US: Final = {"LC_CTYPE": frozenset({"C.UTF-8", "C.utf8", "UTF-8"}), "OPENBLAS_NUM_THREADS": frozenset({"1"})}
_LARGEST_BYTES: Final = 1 << 24


def inherited(started_with: Path = Path("/proc/self/environ")) -> dict[str, str]:
    """Return the environment that this process was started with: without what Python and this program set for themselves."""
    variables = dict(os.environ)
    doubtful = [name for name, values in _FOR_US.items() if variables.get(name) in values]
    if not doubtful:
        return variables
    try:
        with started_with.open("rb") as file:
            entries = file.read(_LARGEST_BYTES).split(b"\0")
    except OSError:
        return variables
    own = dict(os.fsdecode(entry).partition("=")[::2] for entry in entries)
    kept = {name: value for name, value in variables.items() if name not in doubtful}
    return kept | {name: own[name] for name in doubtful if name in own}


def files(name: str, path: str | None) -> Iterator[str]:
    """Yield the files that a program called `name` may be, in the order in which they are tried.

    They are written as execvp(3) writes them, which is what a script is told of its own name.
    """
    if not name:
        return
    if "/" in name:
        yield name
        return
    for folder in (_NO_PATH if path is None else path).split(":"):
        yield f"{folder}/{name}" if folder else name


def become(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process by the program of `argv`; a text that no `#!` begins is given to `/bin/sh`.

    Raise `ProgramNotFound` where there is no such program, and `ProgramNotExecutable` where it cannot be started. A
    program named without a folder is looked for in the PATH of `environment`.
    """
    # Python ignores these, and what is ignored stays so in the program that takes its place.
    for name in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(name, signal.SIG_DFL)
    last, denied = None, None
    for file in files(argv[0], environment.get("PATH")):
        try:
            _execute(file, argv, dict(environment))
        except OSError as reason:
            last = reason
            denied = reason if reason.errno == errno.EACCES else denied
            if reason.errno not in {*_NOT_THERE, errno.EACCES}:
                break
        except ValueError as reason:
            raise UsageError(f"cannot start {argv[0]}: {reason}") from reason
    refusal = denied or last
    if refusal is None or refusal.errno == errno.ENOENT:
        raise ProgramNotFound(f"there is no program {argv[0]}", advice="give its full path")
    raise ProgramNotExecutable(f"cannot start {argv[0]}: {refusal.strerror}")


def _execute(file: str, argv: Sequence[str], environment: dict[str, str]) -> NoReturn:
    try:
        os.execve(file, list(argv), environment)  # noqa: S606 # no shell is what is wanted
    except OSError as reason:
        if reason.errno != errno.ENOEXEC:
            raise
        os.execve(SHELL, [SHELL, file, *argv[1:]], environment)  # noqa: S606 # as execvp(3) does with such a file
