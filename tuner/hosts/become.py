"""This process becomes another program, which then has its place, its terminal and its exit status."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from typing import NoReturn

from tuner.errors import UsageError


def become(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process by the program of `argv`; raise `UsageError` when it cannot be started.

    A program named without a folder is looked for in the PATH of `environment`.
    """
    program = shutil.which(argv[0], path=environment.get("PATH"))
    if program is None:
        raise UsageError(f"there is no program {argv[0]}", advice="give its full path")
    # Python ignores these, and what is ignored stays so in the program that takes its place.
    for name in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(name, signal.SIG_DFL)
    try:
        os.execve(program, list(argv), dict(environment))  # noqa: S606 # no shell is what is wanted
    except (OSError, ValueError) as reason:
        raise UsageError(f"cannot start {program}: {getattr(reason, 'strerror', None) or reason}") from reason
