"""Private folders for a while, which go with their owner: what a killed program left is swept by the next one.

The name says who made it, and the owner holds a lock (flock(2)) on it while it lives. So a folder is swept only if the process
is gone *and* nobody holds the lock: a number may mean another process in another container.

This file is a program of its own too (`python -I -S temporary.py FOLDER` sweeps there); only the standard library of Python
3.9 is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"tuner-(?:run|store)-(\d{1,10})-(\d{1,20})-\w+")
_DEAD = frozenset({"Z", "X", "x"})


@contextlib.contextmanager
def folder(what: str) -> Iterator[Path]:
    """Yield a new private folder, for `run` or `store`; it is gone when the block is over, or swept after a kill."""
    with tempfile.TemporaryDirectory(prefix=f"tuner-{what}-{os.getpid()}-{birth(os.getpid())}-") as name:
        held = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Path(name)
        finally:
            os.close(held)


def sweep(where: Path | None = None) -> list[Path]:
    """Remove our folders whose owners are gone, and return them; `where` is the folder for temporary ones unless given."""
    place = where or Path(tempfile.gettempdir())
    try:
        found = [place / name for name in os.listdir(place) if _NAME.fullmatch(name)]  # noqa: PTH208 - names are enough
    except OSError:
        return []
    return [each for each in found if _swept(each)]


def birth(pid: int) -> int:
    """Return when a process began, in ticks since the host's start (field 22 of /proc/PID/stat), 0 where it is dead or gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in _DEAD else int(fields[19])


def _swept(path: Path) -> bool:
    match = _NAME.fullmatch(path.name)
    if match is None or birth(int(match[1])) == int(match[2]):
        return False
    try:
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # no folder, a link, somebody else's, or gone
        return False
    try:
        about = os.fstat(held)
        if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) != stat.S_IRWXU:
            return False
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except OSError:  # somebody holds it
        return False
    finally:
        os.close(held)
    return not path.exists()


if __name__ == "__main__":
    sweep(Path(sys.argv[1]))
