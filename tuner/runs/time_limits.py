"""How long a run is waited for: generously while nothing is known, and then by what runs take here.

Each part of a run has a limit of its own, because each may hang: the server's start, and the client, whose test lasts
as long as it was asked to, so that what counts is the time beyond it. A limit is the median of the runs that ended well,
and a room. The room is for profiles that are slow and fine: larger pools and huge pages are zeroed and registered before
the first message (about a second for each GB that the stack takes, `SLOWEST_BYTES_PER_S`), and on a busy machine every
start takes longer.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Self

from tuner.hosts.pair import Job
from tuner.runs.workload import Workload

LEAST_ROOM_S: Final = 0.75
SPREADS: Final = 4.0
"""The room in units of how far the slowest tenth is from the median."""
ENOUGH_RUNS: Final = 10
"""Runs with fewer of which their spread is not known either."""
PATIENT: Final = 3.0
"""How many times the room a run has where its slowness must not be taken for a hang."""
SLOWEST_BYTES_PER_S: Final = 1e9
"""How fast memory is zeroed and registered at least: one thread in 4 KiB pages does 1 to 2 GB/s, in huge pages several."""


@dataclass(frozen=True, slots=True)
class Took:
    """What the parts of a run took, in seconds.

    `beyond_s` is the client's time beyond the duration that was asked, less than 0 where its test is shorter.
    """

    ready_s: float
    beyond_s: float

    def to_dict(self) -> dict[str, float]:
        """Return JSON-ready values."""
        return {name: round(value, 4) for name, value in asdict(self).items()}

    @classmethod
    def read(cls, stored: object) -> Self | None:
        """Return what `to_dict` wrote, None for anything else: a stored session may be anybody's."""
        found = [stored.get(name) for name in cls.__slots__] if isinstance(stored, dict) else []
        numbers = [each for each in found if isinstance(each, int | float) and math.isfinite(each)]
        return cls(*map(float, numbers)) if len(numbers) == len(cls.__slots__) else None


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """What runs of a workload usually take, the room that a run has beyond that, and how many runs say so.

    While nothing is known the limits are those after which a run hangs for sure.
    """

    usual: Took = Took(0.0, 0.0)
    room: Took = Took(0.0, 0.0)
    runs: int = 0

    def ready_limit_s(self, workload: Workload) -> float:
        """Return the seconds that a server has to become ready."""
        longest_s = workload.ready_limit_s
        return min(longest_s, self.usual.ready_s + self.room.ready_s) if self.runs else longest_s

    def client_limit_s(self, workload: Workload) -> float:
        """Return the seconds that a client has."""
        limit_s = workload.duration_s + self.usual.beyond_s + self.room.beyond_s
        return min(workload.time_limit_s, limit_s) if self.runs else workload.time_limit_s

    def with_more(self, allocated_s: float) -> TimeLimits:
        """Return the limits of a profile that allocates so much longer at its start than the others."""
        return replace(self, room=Took(self.room.ready_s + allocated_s, self.room.beyond_s + allocated_s))

    def limiting(self, job: Job, workload: Workload) -> Job:
        """Return a job with these limits."""
        return replace(job, ready_limit_s=self.ready_limit_s(workload), time_limit_s=self.client_limit_s(workload))

    def given_up(self, why: str, workload: Workload, *, ready: bool) -> str:
        """Return in words why a run was given up whose client, or whose servers where none was `ready`, took too long."""
        if not self.runs:
            return why
        if not ready:
            return f"{why}; servers take {self.usual.ready_s:.1f} s here (n = {self.runs})"
        usual_s, limit_s = workload.duration_s + self.usual.beyond_s, self.client_limit_s(workload)
        return f"given up after {limit_s:.1f} s: runs take {usual_s:.1f} s here (n = {self.runs})"


GENEROUS: Final = TimeLimits()
"""The limits while nothing is known."""


def learned(ended_well: Sequence[Took], *, patient: bool = False) -> TimeLimits:
    """Return the limits that runs teach which ended well.

    A run has more room where few are known, and where it should be waited for longer (`patient`).
    """
    if not ended_well:
        return GENEROUS
    times = PATIENT if patient or len(ended_well) < ENOUGH_RUNS else 1.0
    ready_s = [each.ready_s for each in ended_well]
    beyond_s = [each.beyond_s for each in ended_well]
    usual = Took(statistics.median(ready_s), statistics.median(beyond_s))
    return TimeLimits(usual, Took(times * _room_s(ready_s), times * _room_s(beyond_s)), len(ended_well))


def _room_s(seconds: list[float]) -> float:
    usual_s, slow_s = statistics.median(seconds), sorted(seconds)[math.ceil(0.9 * len(seconds)) - 1]
    return max(LEAST_ROOM_S, usual_s, SPREADS * (slow_s - usual_s))
