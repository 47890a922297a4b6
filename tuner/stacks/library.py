"""Whether a file is the library of a stack, before a program is started under it: the loader only warns and goes on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

_MAGIC: Final = b"\x7fELF"
# Class, byte order and machine: what a library must have in common with the programs of this host.
_KIND: Final = (slice(4, 6), slice(18, 20))


def problem(path: Path, mark: str) -> str:
    """Return why the file at `path` cannot be a library that holds the name `mark`; empty when it can, or mark is.

    A file that is not there is left to the caller.
    """
    if not mark or not path.is_file():
        return ""
    try:
        data = path.read_bytes()
    except OSError as reason:
        return f"it cannot be read: {reason.strerror}"
    if data[:4] != _MAGIC:
        return "it is no shared library"
    if any(data[part] != _own()[part] for part in _KIND):
        return "it is made for another kind of machine"
    return "" if mark.encode() in data else f"it is another library: it has no {mark}"


def _own() -> bytes:
    """Return the head of the running interpreter, which this machine can certainly run."""
    with Path(sys.executable).open("rb") as file:
        return file.read(20)
