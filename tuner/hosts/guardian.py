"""What is left of an agent when it is gone: a second process that ends what it started and takes its folder away.

Every program that an agent starts has a folder inside the agent's own as its current one, and so have the agent and its
guardian. So who lives in that folder is found without a list that could be lost with the agent.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import stat
import time
from pathlib import Path
from typing import Final, NoReturn

SILENCE_S: Final = 6.0
"""After so many seconds without a word the other one is gone, and what it would have ended is ended."""
BEAT_S: Final = 1.0
"""How often each says that it is there."""
_SWEEP_LIMIT_S: Final = 3.0


def inhabitants(folder: Path) -> list[int]:
    """Return the processes of this user whose current folder is `folder` or inside it, but for this one."""
    inside = (str(folder), f"{folder}/", f"{folder} (deleted)")
    found = []
    for number in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208 - three times as fast
        with contextlib.suppress(OSError):
            where = os.readlink(f"/proc/{number}/cwd")  # noqa: PTH115 - of many processes
            if where in inside or where.startswith(inside[1]):
                found.append(int(number))
    return [number for number in found if number != os.getpid()]


def sweep(folder: Path) -> None:
    """Kill everybody who lives in `folder`, with their process groups, and remove it."""
    deadline = time.monotonic() + _SWEEP_LIMIT_S
    while (left := inhabitants(folder)) and time.monotonic() < deadline:
        for number in left:
            _kill(number)
        time.sleep(0.01)
    shutil.rmtree(folder, ignore_errors=True)


def _kill(number: int) -> None:
    with contextlib.suppress(OSError):
        group = os.getpgid(number)
        os.kill(number, signal.SIGKILL)
        if group != os.getpgrp():
            os.killpg(group, signal.SIGKILL)


def taken(folder: Path) -> Path:
    """Return `folder`, made or emptied, for this process alone; whoever used it before is ended.

    Raise `OSError` where it cannot be made or is not this user's own.
    """
    with contextlib.suppress(FileNotFoundError):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{folder} belongs to somebody else")
        sweep(folder)
    folder.mkdir(mode=0o700)
    os.chdir(folder)
    return folder


def stands_by(folder: Path) -> int:
    """Start the guardian of `folder`; return a descriptor to which a byte must be written at least every `BEAT_S`.

    When nothing comes for `SILENCE_S`, or when the descriptor closes, the guardian sweeps the folder and ends. Call it before
    there are threads.
    """
    beats, told = os.pipe()
    if os.fork() == 0:
        _guard(folder, beats, told)
    os.close(beats)
    os.set_blocking(told, False)
    return told


def _guard(folder: Path, beats: int, told: int) -> NoReturn:
    try:
        os.setsid()
        os.close(told)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):  # nobody waits for the end of these
            os.dup2(nothing, number)
        os.closerange(3, beats)
        os.closerange(beats + 1, 256)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while select.select([beats], [], [], SILENCE_S)[0] and os.read(beats, 4096):
            pass
        sweep(folder)
    finally:
        os._exit(0)
