"""Files that somebody else wrote: bounded in size, never a pipe or a device, and UTF-8 where they are text."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, Final

from tuner.errors import Finding, error

_OF_EACH_PROCESS: Final = ("/proc/", "/dev/fd/", "/dev/std")


def is_of_each_process(path: Path) -> bool:
    """Return whether a name means another file in each process, as `/proc/self/fd/1` and `/dev/stdout` do: a program that is started would open its own."""
    return str(path).startswith(_OF_EACH_PROCESS)


class _Whole(io.FileIO):
    """A file that says so where it has nothing to read yet: some of the kernel's own are regular and wait for events."""

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__(descriptor, "rb")
        self._path = path

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; raise `OSError`, which names the file, and `BlockingIOError` where somebody would have to be waited for."""
        try:
            found = super().readinto(buffer)
        except OSError as reason:
            reason.filename = str(self._path)
            raise
        if found is None:
            raise BlockingIOError(errno.EAGAIN, "has nothing to read now, and is not waited for")
        return found


def opened(path: Path, *, follow: bool = True) -> BinaryIO:
    """Return a regular file, to be read; what it is, is asked of what was opened, so that nobody can swap it meanwhile.

    Neither a pipe nor a device is waited for. Where `follow` is not set, a symbolic link is none either. Raise `OSError`
    for what cannot be read or is no regular file.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a file", str(path))
    return io.BufferedReader(_Whole(descriptor, path))


def text_of(path: Path, most_bytes: int, what: str) -> str | Finding:
    """Return the text of a file, or the finding that says why it cannot be read; `what` it should be, with article."""
    if not path.is_file():  # a pipe or a device would be read for ever
        return error(str(path), "is not a file" if path.exists() else "does not exist")
    try:
        with opened(path) as file:
            data = file.read(most_bytes + 1)
    except OSError as reason:
        return error(str(path), f"cannot be read: {reason.strerror}")
    if len(data) > most_bytes:
        return error(str(path), f"is larger than {most_bytes} bytes: too large for {what}")
    try:
        return data.decode()
    except UnicodeDecodeError as reason:
        line = data.count(b"\n", 0, reason.start) + 1
        return error(str(path), f"is not UTF-8 text: byte 0x{data[reason.start]:02x} in line {line}")
