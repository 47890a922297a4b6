"""Whether a library carried the packets itself, or left the sockets to the operating system: its own counts say so.

A banner proves that a library is loaded, not that it does anything: an interface without a card behind it, a rule, or an
address that it does not take leave every socket to the kernel, and what is measured then is the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from tuner.stacks.counters import Counts

CLIENT: Final = "client"
"""The end whose counts must show it, where it runs under the library."""


class Sockets(StrEnum):
    """Who carried the packets of a process."""

    OFFLOADED = "offloaded"
    OS = "os-sockets"
    UNKNOWN = "unknown"


def carried(counts: Counts | None) -> Sockets:
    """Return who carried the packets of one process, from what its library counted; None where it wrote nothing."""
    if counts is None or not (counts.sockets or any(counts.values.values())):
        return Sockets.UNKNOWN
    return Sockets.OFFLOADED if counts.sums["offloaded_packets"] else Sockets.OS


def unproven(by_end: Mapping[str, Counts], shows: str = CLIENT) -> str:
    """Return why a run is no measurement of the stack: an end whose packets it did not carry; empty where it did.

    The counts of the end that `shows` it must show it. A server is ended from outside, and a library may write nothing then: what is not
    known of it is no reason.
    """
    ends = {end: carried(counts) for end, counts in by_end.items()}
    left = [end for end, sockets in ends.items() if sockets is Sockets.OS]
    if left:
        return f"{left[0]}: {_left(by_end[left[0]])}"
    if ends.get(shows) is not Sockets.OFFLOADED:
        return f"{shows}: nothing shows that its sockets are offloaded: the library wrote no counts of them"
    return ""


def _left(counts: Counts) -> str:
    by_os = counts.sums["os_packets"]
    told = f"{by_os} packets went through the operating system and " if by_os else ""
    return f"its sockets were left to the operating system: {told}no packet through the library"
