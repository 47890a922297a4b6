"""Locks that say who holds them: one at a time, and who comes second is told by whom and since when.

The kernel lets go of a lock (flock(2)) when its holder ends, however it ends, so that none is ever stale. The file says who
holds it; anybody may have written it, so it is only words. The holder's number is what the kernel says, where it does.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 4096
_OWN, _EVERYBODY = 0o600, 0o666
_LOCKS: Final = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: what they say that they do, their process, their host where it is another one, since when."""

    what: str = ""
    pid: int | None = None
    node: str = ""
    since: str = ""

    def __str__(self) -> str:
        who = self.what or "another tuner"
        elsewhere = f" on {self.node}" if self.node and self.node != platform.node() else ""
        process = f" (process {self.pid}{elsewhere})" if self.pid else elsewhere
        return f"{who}{process}{f', since {self.since}' if self.since else ''}"


class Taken(Exception):
    """Somebody else holds the lock."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(str(holder))
        self.holder = holder


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that this process holds."""

    descriptor: int

    def say(self, what: str) -> None:
        """Let those who come second know what is done meanwhile."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"what": what[:1000], "pid": os.getpid(), "node": platform.node()[:255], "since": now}
        with contextlib.suppress(OSError):  # somebody else's file, or a full disk: the lock holds all the same
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, json.dumps(about).encode(), 0)

    def stands_at(self) -> Path | None:
        """Return where its file is now, whatever was moved meanwhile; None where it was removed."""
        try:
            if os.fstat(self.descriptor).st_nlink:
                return Path(f"/proc/self/fd/{self.descriptor}").readlink()
        except OSError:  # no /proc
            return None
        return None


@contextmanager
def held(path: Path, what: str, *, by_everybody: bool = False) -> Iterator[Lock]:
    """Hold the lock of a file, made where there is none; one that is not for everybody's use is removed afterwards.

    Raises:
        Taken: somebody else holds it.
        OSError: there can be no such lock: the folder cannot be written, or something else stands there.

    """
    descriptor = _opened(path, _EVERYBODY if by_everybody else _OWN)
    try:
        _lock(descriptor, path)
        lock = Lock(descriptor)
        lock.say(what)
        try:
            yield lock
        finally:
            if not by_everybody:
                with contextlib.suppress(
                    OSError
                ):  # its folder may be gone or closed by now; nobody holds a file that stays
                    path.unlink()
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Return whether a process that this one can see holds the lock of a file; the lock is not touched.

    One of another machine, or of another process namespace, is not seen.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return _process(descriptor) is not None
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as reason:
        raise Taken(_holder(descriptor)) from reason
    here = os.fstat(descriptor)
    if here.st_nlink == 0:  # its last holder has removed it between our opening and locking it
        raise Taken(Holder())
    if not os.path.samestat(here, path.lstat()):
        raise OSError(errno.ESTALE, "it was replaced meanwhile", str(path))


def _opened(path: Path, mode: int) -> int:
    """Return a descriptor of a lock's file; raise `OSError` for a link or anything else that is none."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = _standing(path, flags)
    except FileNotFoundError:
        descriptor = _made(path, flags, mode)
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or about.st_nlink > 1:
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a file of its own", str(path))
    return descriptor


def _standing(path: Path, flags: int) -> int:
    # Without O_CREAT, which the kernel refuses for files of others in a folder for everybody (fs.protected_regular).
    try:
        return os.open(path, flags | os.O_RDWR)
    except PermissionError:
        return os.open(path, flags | os.O_RDONLY)  # enough to lock it


def _made(path: Path, flags: int, mode: int) -> int:
    try:
        descriptor = os.open(path, flags | os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return _standing(path, flags)
    os.fchmod(descriptor, mode)  # whatever the umask
    return descriptor


def _holder(descriptor: int) -> Holder:
    """Return who holds a lock: the process by the kernel, the words by the file."""
    try:
        said = json.loads(os.pread(descriptor, _MOST_BYTES, 0))
        said = said if isinstance(said, dict) else {}
    except (OSError, ValueError, RecursionError):
        said = {}
    words = {name: str(said.get(name, ""))[:200] for name in ("what", "node", "since")}
    stated = said["pid"] if isinstance(said.get("pid"), int) else None
    pid = _process(descriptor)
    if pid is not None and stated != pid:  # it is another's words, or one that has just begun
        return Holder(pid=pid)
    return Holder(words["what"], stated, words["node"], words["since"])


def _process(descriptor: int) -> int | None:
    """Return the process that the kernel names as the holder (man 5 proc, /proc/locks), None where it names none."""
    about = os.fstat(descriptor)
    mine = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    try:
        lines = _LOCKS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    rows = (line.split() for line in lines)
    found = [row[4] for row in rows if row[1:2] == ["FLOCK"] and mine in row]
    return int(found[0]) if found and found[0].isdigit() and found[0] != "0" else None
