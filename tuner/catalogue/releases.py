"""A range of releases, as a profile states for which releases it was written: `>=3.20.4,<=3.40.0`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tuner.catalogue.parameters import release_key

_COMPARE: Final[dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_BOUND: Final = re.compile(r"(>=|<=|==|!=|>|<)\s*([0-9]{1,9}(?:\.[0-9]{1,9}){0,3})", re.ASCII)
EXAMPLE: Final = "bounds such as >=3.20.4,<=3.40.0"


@dataclass(frozen=True, slots=True)
class Releases:
    """A range of releases; without bounds it covers every release."""

    bounds: tuple[tuple[str, str], ...] = ()

    def covers(self, release: str) -> bool:
        """Return whether every bound allows `release`."""
        return all(_COMPARE[sign](release_key(release), release_key(bound)) for sign, bound in self.bounds)

    def among(self, known: Iterable[str]) -> tuple[str, ...]:
        """Return those of the `known` releases that this range covers."""
        return tuple(release for release in known if self.covers(release))

    def both(self, other: Releases) -> Releases:
        """Return the releases that this range and `other` cover."""
        return Releases(tuple(dict.fromkeys((*self.bounds, *other.bounds))))

    def __str__(self) -> str:
        return ",".join(sign + bound for sign, bound in self.bounds)


def parse(text: str) -> Releases:
    """Return the range that `text` states, every release when it is empty; raise `ValueError` when it is no range."""
    if not text.strip():
        return Releases()
    found = [_BOUND.fullmatch(part.strip()) for part in text.split(",")]
    bounds = tuple((match[1], match[2]) for match in found if match is not None)
    if len(bounds) != len(found):
        raise ValueError(f"{text!r} is no range of releases: write {EXAMPLE}")
    return Releases(bounds)
