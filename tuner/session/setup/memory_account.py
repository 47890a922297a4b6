"""The memory of a configuration beside what this host has, as JSON and as lines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tuner.catalogue import memory
from tuner.catalogue.effective import Effective
from tuner.catalogue.room import Room
from tuner.errors import Severity


def account(found: Effective, rings: int, room: Room) -> dict[str, Any]:
    """Return the sum of what is taken at start, what a host has (`room`, bytes), and what of it does not fit, as JSON.

    `starts` is false where a process could not start here for want of memory.
    """
    values = found.values()
    told = memory.findings(found.stack, found.release, values, rings, room)
    taken = memory.summed(found.stack, found.release, values, rings)
    return taken.to_dict() | {
        "version": found.release,
        "rings": rings,
        "host": asdict(room),
        "starts": all(each.severity is not Severity.ERROR for each in told),
        "findings": [asdict(each) for each in told],
        "lines": [*taken.lines(), room.words()] if taken.parts else [],
    }
