"""Whether a file is a library that can be preloaded here: what its ELF header says, before a loader only warns."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from tuner.errors import Finding, error
from tuner.hosts.host import Host
from tuner.hosts.program import MACHINES
from tuner.terminal_text import shown
from tuner.untrusted import is_of_each_process

_MAGIC: Final = b"\x7fELF"
_HEADER_BYTES: Final = 20
_LARGEST_BYTES: Final = 1 << 28
_SHARED: Final = 3
_NAME_IT: Final = "name the library with --lib PATH"
_BITS: Final = {1: 32, 2: 64}
_ORDERS: Final = {1: "little", 2: "big"}


def problem(path: Path, host: Host) -> Finding | None:
    """Return why `path` cannot be preloaded into programs of the host, None when it can."""
    where = shown(str(path))
    if is_of_each_process(path):
        return error(where, "is another file in each process", _NAME_IT)
    try:
        header = host.read(path, _HEADER_BYTES)
    except FileNotFoundError:
        return error(where, "does not exist", _NAME_IT)
    except OSError as reason:
        if reason.errno == errno.EINVAL:
            return error(where, "is not a file", _NAME_IT)
        return error(where, f"cannot be read: {reason.strerror}")
    return _unfit(where, header, host.machine())


def lacks(path: Path, mark: str, host: Host) -> str:
    """Return that the library at `path` is another stack's, because it does not hold the name `mark`; empty when it does.

    Without a mark there is nothing to look for. Raise `OSError` when the file cannot be read.
    """
    held = not mark or mark.encode() in host.read(path, _LARGEST_BYTES)
    return "" if held else f"it is another library: it has no {mark}"


def _unfit(where: str, header: bytes, machine: str) -> Finding | None:
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        hint = "name the .so itself, not a linker script, an archive or a package"
        return error(where, "is not an ELF file, so the loader would warn and go on without it", hint)
    order = _ORDERS.get(header[5])
    if order is None or header[4] not in _BITS:
        return error(where, "has an ELF header that makes no sense", "install the library again")
    kind = int.from_bytes(header[16:18], "little" if order == "little" else "big")
    found = int.from_bytes(header[18:20], "little" if order == "little" else "big")
    if kind != _SHARED:
        return error(where, "is an ELF file, but not a shared library", "name the .so")
    name = MACHINES.get(found, f"machine {found}")
    if name != machine:
        hint = f"install the {machine} build of the library"
        return error(where, f"is built for {name} ({_BITS[header[4]]} bit), and programs here are {machine}", hint)
    return None
