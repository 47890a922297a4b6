"""Whether a library of this machine can be loaded by the programs of another: its architecture, and what it needs of the C library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tuner.hosts.program import MACHINES

_NEEDS: Final = re.compile(rb"\0GLIBC_(2\.[0-9]{1,3})(?:\.[0-9]{1,3})?(?=\0)")
_MACHINE_AT: Final = 18
_ORDER_AT: Final = 5
_BIG: Final = 2


def unfit(library: bytes, machine: str, c_library: Sequence[str]) -> str:
    """Return why programs of a `machine` with this C library (name and version) cannot load a library; empty where they can.

    A library names the versions of glibc's symbols that it needs (`GLIBC_2.34`); an older glibc has not got them, another
    C library has none of them.
    """
    order = "big" if library[_ORDER_AT : _ORDER_AT + 1] == bytes([_BIG]) else "little"
    number = int.from_bytes(library[_MACHINE_AT : _MACHINE_AT + 2], "big" if order == "big" else "little")
    built_for = MACHINES.get(number, f"machine {number}")
    if built_for != machine:
        return f"it is built for {built_for}, and programs there are {machine}"
    needs = max(map(_version, _NEEDS.findall(library)), default=(0, 0))
    name, version = (*c_library, "", "")[:2]
    if needs > (0, 0) and name != "glibc":
        return f"it needs glibc, and the C library there is {name or 'another one'}"
    if needs > _version(version.encode()):
        return f"it needs glibc {needs[0]}.{needs[1]}, and there is {version}"
    return ""


def _version(text: bytes) -> tuple[int, int]:
    found = re.match(rb"([0-9]{1,4})\.([0-9]{1,4})", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
