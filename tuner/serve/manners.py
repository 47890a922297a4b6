"""The manners of a process that must not disturb what is measured beside it: a low priority, and CPUs that nothing is measured on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOW: Final = 10
"""Of the scale of nice(1): a tenth of what an ordinary process gets beside it, and enough to answer on a busy host."""
_TASKS: Final = Path("/proc/self/task")
_STAT: Final = Path("/proc/self/stat")
_PROCESSOR: Final = 36
"""The place of `processor` behind the name in /proc/PID/stat (man 5 proc: field 39)."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How this process runs: its number, whether only in time that nobody else wants, and its CPUs."""

    pid: int
    idle: bool
    nice: int
    cpu: int | None
    """That of its main thread a moment ago, None where the kernel does not say."""
    allowed: frozenset[int]
    measured: frozenset[int] = frozenset()
    """Those that a session of this host measures on now."""
    starts: bool = False
    """Whether its pages may start sessions."""

    @property
    def apart(self) -> bool:
        """Return whether it runs on no CPU that is measured."""
        return not self.allowed & self.measured


def step_back() -> None:
    """Have a low priority from now on."""
    with contextlib.suppress(OSError):
        os.nice(max(0, LOW - os.getpriority(os.PRIO_PROCESS, 0)))


def make_way(measured: Collection[int], usable: Collection[int]) -> None:
    """Run on those of the `usable` CPUs that are not `measured`; where there are none, only when nobody else wants a CPU.

    An ordinary user has no way back from that (man 7 sched), so that it stays so.
    """
    free = set(usable) - set(measured)
    policy = os.SCHED_OTHER if free else os.SCHED_IDLE
    if (free or set(usable), policy) == (os.sched_getaffinity(0), os.sched_getscheduler(0)):
        return
    for task in map(int, (each.name for each in _TASKS.iterdir())):
        with contextlib.suppress(OSError):  # a thread that has just ended, or no way back
            os.sched_setaffinity(task, free or set(usable))
            os.sched_setscheduler(task, policy, os.sched_param(0))


def manners(measured: Collection[int] = (), *, starts: bool = False) -> Manners:
    """Return how this process runs now."""
    return Manners(
        pid=os.getpid(),
        idle=os.sched_getscheduler(0) == os.SCHED_IDLE,
        nice=os.getpriority(os.PRIO_PROCESS, 0),
        cpu=_cpu(),
        allowed=frozenset(os.sched_getaffinity(0)),
        measured=frozenset(measured),
        starts=starts,
    )


def _cpu() -> int | None:
    try:
        return int(_STAT.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[_PROCESSOR])
    except (OSError, ValueError, IndexError):
        return None
