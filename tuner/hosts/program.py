"""The files that a command starts, and what of each decides whether a library can be preloaded into it."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuner.hosts.become import SHELL, files

_MAGIC: Final = b"\x7fELF"
_HEADER_BYTES: Final = 64
_MOST_SEGMENTS: Final = 256
_LINE_BYTES: Final = 256
"""Of `#!`: the kernel reads no more."""
_MOST_SCRIPTS: Final = 5
_INTERPRETER: Final = 3
_CAPABILITIES: Final = "security.capability"
# e_machine of the ELF specification and of its supplements, by the kernel's name of the architecture.
MACHINES: Final = {3: "i386", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a file of machine code runs on: the architecture by the kernel's name, and the size of its words in bits."""

    name: str
    bits: int

    def __str__(self) -> str:
        return f"{self.name} ({self.bits} bit)"


@dataclass(frozen=True, slots=True)
class Image:
    """A file of machine code that is started.

    `interpreted` is whether a loader starts it, as it does where libraries are linked. `owner` and `group` are whose
    rights it takes on (set-user-ID, set-group-ID), None where it takes on none; `capable` is whether it has file
    capabilities.
    """

    path: Path
    machine: Machine
    interpreted: bool
    owner: int | None = None
    group: int | None = None
    capable: bool = False


def images(argv: Sequence[str], path: str | None) -> Iterator[Image]:
    """Yield the files of machine code that a command starts: the program, or the interpreters of a script.

    Nothing is yielded where the program is not there or cannot be read: starting it will say so.
    """
    words = list(argv)
    for _ in range(_MOST_SCRIPTS):
        named = map(Path, files(words[0], path))
        file = next((each for each in named if each.is_file() and os.access(each, os.X_OK)), None)
        if file is None:
            return
        try:
            image = image_of(file)
            words = [] if image else _interpreter(file)
        except OSError:
            return
        if image is not None:
            yield image
            words = _of_env(file, argv, words)
        if not words:
            return
        argv = words


def image_of(file: Path) -> Image | None:
    """Return what a file of machine code is, None for another file; raise `OSError` where it cannot be read."""
    with file.open("rb") as stream:
        header = stream.read(_HEADER_BYTES)
        machine = _machine(header)
        if machine is None:
            return None
        offset, size, count = _segments(header, machine.bits)
        stream.seek(offset)
        table = stream.read(size * min(count, _MOST_SEGMENTS))
    order = _order(header)
    kinds = (
        {struct.unpack_from(f"{order}I", table, at)[0] for at in range(0, len(table) - size + 1, size)}
        if size
        else set()
    )
    owner, group, capable = _rights(file)
    return Image(file, machine, _INTERPRETER in kinds, owner, group, capable)


def _machine(header: bytes) -> Machine | None:
    if (
        len(header) < _HEADER_BYTES
        or not header.startswith(_MAGIC)
        or header[4] not in {1, 2}
        or header[5] not in {1, 2}
    ):
        return None
    (number,) = struct.unpack_from(f"{_order(header)}H", header, 18)
    return Machine(MACHINES.get(number, f"machine {number}"), 32 * header[4])


def _order(header: bytes) -> str:
    return "<" if header[5] == 1 else ">"


def _segments(header: bytes, bits: int) -> tuple[int, int, int]:
    """Return where the table of segments stands, the size of an entry, and how many there are."""
    order = _order(header)
    wide = bits != 32  # noqa: PLR2004 the two sizes of ELF
    (offset,) = struct.unpack_from(f"{order}Q" if wide else f"{order}I", header, 32 if wide else 28)
    size, count = struct.unpack_from(f"{order}HH", header, 54 if wide else 42)
    return min(offset, 1 << 40), size if size >= struct.calcsize("I") else 0, count


def _rights(file: Path) -> tuple[int | None, int | None, bool]:
    """Return the user and group whose rights the file takes on, and whether it has capabilities of its own."""
    facts = file.stat()
    if os.statvfs(file).f_flag & os.ST_NOSUID:
        return None, None, False
    owner = facts.st_uid if facts.st_mode & stat.S_ISUID else None
    group = facts.st_gid if facts.st_mode & stat.S_ISGID and facts.st_mode & stat.S_IXGRP else None
    return owner, group, _capable(file)


def _capable(file: Path) -> bool:
    try:
        return bool(os.getxattr(file, _CAPABILITIES))
    except OSError as reason:
        if reason.errno in {errno.ENODATA, errno.ENOTSUP, errno.EPERM}:
            return False
        raise


def _interpreter(file: Path) -> list[str]:
    """Return the program and argument behind the `#!` of a script; without one a shell reads it."""
    with file.open("rb") as stream:
        line = stream.read(_LINE_BYTES).split(b"\n")[0]
    if not line.startswith(b"#!"):
        return [SHELL]
    words = os.fsdecode(line[2:]).strip(" \t").split(None, 1)
    return words or [SHELL]


def _of_env(file: Path, argv: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return what `env` itself starts (`#!/usr/bin/env python3`), nothing for other programs."""
    behind = [word for word in argv[1:] if "=" not in word]
    if file.name != "env" or words or not behind or behind[0].startswith("-"):
        return []
    return behind
