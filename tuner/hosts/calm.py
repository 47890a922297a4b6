"""Whether a host is calm now: short samples of what other programs and the hypervisor take, never what we did before.

A load average counts what ran in the last minutes, such as our own earlier session. A sample of half a second counts what
others use now, and names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tuner.errors import Finding, doubt
from tuner.hosts.activity import Used
from tuner.hosts.telemetry import LEAST_WALL_S, MOST_FOREIGN_SHARE, MOST_STEAL_SHARE, Telemetry, spoiled

SAMPLE_S: Final = LEAST_WALL_S + 0.05
"""Long enough for ticks of 10 ms to say a share in hundredths."""

MOST_TOLD: Final = 3
"""More programs than these make a line that nobody reads."""


def is_calm(samples: Sequence[Telemetry]) -> bool:
    """Return whether a run would not be spoiled by what happens now, so far as that is known."""
    return not any(spoiled(each.to_dict()) for each in samples)


def disturbances(samples: Sequence[Telemetry]) -> str:
    """Return what disturbs a host, in words, the programs by name; empty where nothing does."""
    return ", ".join(word for each in samples for word in _words(each))


def _words(found: Telemetry) -> Iterator[str]:
    if (found.steal_share or 0.0) > MOST_STEAL_SHARE:
        yield f"the hypervisor takes {100 * (found.steal_share or 0.0):.0f} % of the CPU time"
    if (found.foreign_share or 0.0) > MOST_FOREIGN_SHARE:
        yield f"other programs use {100 * (found.foreign_share or 0.0):.0f} % of the CPU time{_names(found)}"
    if found.throttles:
        yield "the CPU is throttled"


def _names(found: Telemetry) -> str:
    return f": {', '.join(map(_named, found.programs[:MOST_TOLD]))}" if found.programs else ""


def _named(used: Used) -> str:
    return f"{used.name} (pid {used.pid}) {100 * used.cpu_share:.0f} % of {_cpu(used)}"


def _cpu(used: Used) -> str:
    return "a CPU" if used.cpu is None else f"CPU {used.cpu}"


def doubts(found: Telemetry) -> tuple[Finding, ...]:
    """Return who disturbs the host before anything is measured; nothing without a name or a count of the hypervisor's."""
    named = bool(found.programs) or (found.steal_share or 0.0) > MOST_STEAL_SHARE
    said = disturbances([found]) if named else ""
    return (doubt(said, "stop them, or wait for a calm host with --wait-for-calm 10m"),) if said else ()
