"""Is a session as sure of its profiles as it may be? Its posterior of each profile's log gain against the truth.

An answer's `beliefs` hold for each finalist and each known profile the mean and the standard deviation of its log gain over
the baseline. The chosen one comes apart: what was chosen for looking good is where a model without shrinkage is too sure.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from decisions import mean, share
from truths import Truth

KEY: Final = "beliefs"
LEVELS: Final = (0.80, 0.95)


class Role(StrEnum):
    """What a profile is to the session that believes something of it."""

    CHOSEN = "chosen"
    KNOWN = "known"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Belief:
    """What a session believes of one profile's log gain over the baseline, and what it truly is."""

    role: Role
    mean: float
    sd: float
    truth: float

    def covers(self, level: float) -> bool:
        """Return whether the central interval of this probability, of a normal distribution, holds the truth."""
        return abs(self.mean - self.truth) <= self.sd * statistics.NormalDist().inv_cdf((1 + level) / 2)

    @property
    def error(self) -> float:
        """Return by how much the mean is above the truth."""
        return self.mean - self.truth


def beliefs(answer: Mapping[str, Any], truth: Truth) -> tuple[Belief, ...]:
    """Return what an answer believes of the profiles that it describes, empty where it says nothing."""
    settings = {row["profile"]: row["settings"] for row in _described(answer)}
    known, chosen = {row["profile"] for row in answer["known"]}, _chosen(answer)
    found = []
    for row in answer.get(KEY) or ():
        name = row["profile"]
        role = Role.CHOSEN if name == chosen else Role.KNOWN if name in known else Role.OTHER
        found.append(Belief(role, row["mean"], row["sd"], math.log(truth.gain(settings[name]))))
    return tuple(found)


def _described(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (answer["baseline"], answer["winner"], *answer["known"], *answer["finalists"])


def _chosen(answer: Mapping[str, Any]) -> str:
    """Return the profile that the confirmation judged, or else the one that the session ends with."""
    judged = (row["profile"] for row in answer["finalists"] if row["gain"])
    return str(next(judged, answer["winner"]["profile"]))


def section(found: Sequence[Belief]) -> str:
    """Return how often the intervals of beliefs hold the truth, by role, as Markdown."""
    if not found:
        return "No beliefs: the answers have none.\n"
    names = (
        *(f"{100 * level:.0f} % intervals that hold the truth" for level in LEVELS),
        "mean of log gain too high by",
    )
    lines = [f"| profile | {' | '.join(names)} |", f"|{'---|' * (1 + len(names))}"]
    lines += [_row(role, [one for one in found if one.role is role]) for role in Role]
    return "\n".join([*lines, ""])


def _row(role: Role, found: Sequence[Belief]) -> str:
    held = (share(sum(one.covers(level) for one in found), len(found)) for level in LEVELS)
    return f"| {role} | {' | '.join(held)} | {mean([one.error for one in found])} |"
