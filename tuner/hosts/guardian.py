"""What is left of an agent when it is gone: a second process that ends what it started and takes its folder away.

Every program that an agent starts has a folder inside the agent's own as its current one, and so have the agent and its
guardian. So who lives in that folder is found without a list that could be lost with the agent.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import shutil
import signal
import stat
import time
from pathlib import Path
from typing import Final, NoReturn

from tuner.hosts import turns

SILENCE_S: Final = 6.0
"""After so many seconds without a word the other one is gone, and what it would have ended is ended."""
BEAT_S: Final = 1.0
"""How often each says that it is there."""
_SWEEP_LIMIT_S: Final = 3.0
_NAME: Final = re.compile(r"tuner-[0-9a-f]{16}")
"""The folders of agents."""
_YOUNG_S: Final = 30.0
"""So young a folder may be one that an agent is just making."""


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
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # as long as this process lives
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return folder


def swept_stale(place: Path) -> list[Path]:
    """Remove what agents of this user left in `place` that were killed together with their guardians; return that.

    An agent holds a lock (flock(2)) on its folder while it lives, but for the moment in which it makes it.
    """
    found = [place / name for name in os.listdir(place) if _NAME.fullmatch(name)]  # noqa: PTH208 - names are enough
    stale = [folder for folder in found if _is_stale(folder)]
    for folder in stale:
        sweep(folder)
    return stale


def _is_stale(folder: Path) -> bool:
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        about = os.fstat(held)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return about.st_uid == os.geteuid() and time.time() - about.st_ctime > _YOUNG_S
    except OSError:  # an agent lives there, or the file system has no locks
        return False
    finally:
        os.close(held)


def stands_by(folder: Path, locks: Path | None) -> int:
    """Start the guardian of `folder`, and of the turn whose lock is in `locks`; return a descriptor to which a byte must be written at least every `BEAT_S`.

    When nothing comes for `SILENCE_S`, or when the descriptor closes, the guardian sweeps the folder and ends. Call it before
    there are threads.
    """
    beats, told = os.pipe()
    if os.fork() == 0:
        _guard(folder, beats, told, locks)
    os.close(beats)
    os.set_blocking(told, False)
    return told


def _guard(folder: Path, beats: int, told: int, locks: Path | None) -> NoReturn:
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
        turns.forgotten(locks)
    finally:
        os._exit(0)
