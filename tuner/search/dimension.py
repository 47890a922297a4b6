"""The values that one parameter may take in a search, and the place of each in its range."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

from tuner.catalogue.parameters import as_integer

SPECIAL_SHARE: Final = 0.2
"""Share of the samples that each special value gets. LlamaTune (VLDB 2022) found a fifth for all of them a good bias."""

MOST_SPECIAL_SHARE: Final = 0.5
MIDDLE: Final = 0.5
"""The place of the one number in a range that has no other."""

REMEMBERED: Final = 1 << 14


class Scale(StrEnum):
    """How the values of a dimension are spread."""

    LOG = "log"
    LINEAR = "linear"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Dimension:
    """The values that one parameter may take in a search.

    A `choice` is one of `values`. The other scales are the whole numbers from `low` to `high`, both allowed, in steps
    of `step` or restricted to powers of two; `special` are single values beside that range (`-1`: for ever).
    `priority` is 1 for what is worth searching first; `requires` are (name, value) pairs that must hold for
    the parameter to have any effect.
    """

    parameter: str
    scale: Scale
    low: int = 0
    high: int = 0
    special: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    power_of_two: bool = False
    step: int = 1
    priority: int = 1
    requires: tuple[tuple[str, str], ...] = ()

    @property
    def singles(self) -> tuple[str, ...]:
        """The values that stand alone: all of a choice, the special ones of a range."""
        return self.values if self.scale is Scale.CHOICE else self.special

    def with_singles(self, singles: tuple[str, ...]) -> Dimension:
        """Return this dimension with other values that stand alone."""
        return replace(self, values=singles) if self.scale is Scale.CHOICE else replace(self, special=singles)

    @property
    def steps(self) -> int:
        """The number of values in the range (0 for a choice, or when no value satisfies all its conditions)."""
        if self.scale is Scale.CHOICE:
            return 0
        if self.power_of_two:
            return max(0, self.high.bit_length() - (max(self.low, 1) - 1).bit_length())
        return max(0, (self.high - self.low) // self.step + 1)

    @property
    def size(self) -> int:
        """The number of values in all."""
        return self.steps + len(self.singles)

    def nth(self, index: int) -> int:
        """Return the value at `index` in the range, counted from 0."""
        if self.power_of_two:
            return 1 << ((max(self.low, 1) - 1).bit_length() + index)
        return self.low + index * self.step

    def texts(self) -> Iterator[str]:
        """Yield every value, the single ones first."""
        yield from self.singles
        yield from (str(self.nth(index)) for index in range(self.steps))

    def pick(self, fraction: float) -> str:
        """Return the value for a uniform `fraction` from 0 to below 1: evenly over the choices or over the scale."""
        if self.scale is Scale.CHOICE:
            return self.values[int(fraction * len(self.values))]
        share = min(SPECIAL_SHARE * len(self.special), MOST_SPECIAL_SHARE) if self.steps else 1.0
        if fraction < share:
            return self.special[int(fraction / share * len(self.special))]
        return self._picked((fraction - share) / (1 - share))

    def _picked(self, fraction: float) -> str:
        if self._logarithmic and not self.power_of_two:
            return self.at(fraction)
        return str(self.nth(int(fraction * self.steps)))

    def at(self, position: float) -> str:
        """Return the value of the range nearest to `position` (0 is the lowest, 1 the highest)."""
        low, high = self._shown(self.nth(0)), self._shown(self.nth(self.steps - 1))
        wanted = low + min(max(position, 0.0), 1.0) * (high - low)
        index = self._index_near(wanted)
        return str(self.nth(min(max(index, 0), self.steps - 1)))

    def _index_near(self, shown: float) -> int:
        if self.power_of_two:
            return round(shown / math.log(2)) - (max(self.low, 1) - 1).bit_length()
        number = math.exp(shown) if self._logarithmic else shown
        return round((number - self.low) / self.step)

    def position(self, number: int) -> float:
        """Return the place of `number` in the range from 0 to 1; what is outside counts as the nearer end."""
        low, high = self.nth(0), self.nth(self.steps - 1)
        if low == high:
            return MIDDLE
        inside = min(max(number, low), high)
        return (self._shown(inside) - self._shown(low)) / (self._shown(high) - self._shown(low))

    @property
    def _logarithmic(self) -> bool:
        return self.power_of_two or self.scale is Scale.LOG

    def _shown(self, number: int) -> float:
        return math.log(number) if self._logarithmic else float(number)

    def holds(self, text: str) -> bool:
        """Return whether `text` is exactly one of the values of this dimension."""
        return self.nearest(text) == text

    def nearest(self, text: str) -> str | None:
        """Return the value of this dimension that stands for `text`, or None when none does.

        A number outside the range counts as the nearer end, but a negative one does not: it is a code, no amount.
        """
        return _nearest(self, text)


# Remembered, because a model places the same few values again whenever it is asked.
@lru_cache(maxsize=REMEMBERED)
def _nearest(dimension: Dimension, text: str) -> str | None:
    number = as_integer(text)
    alike = (
        value for value in dimension.singles if value == text or (number is not None and as_integer(value) == number)
    )
    single = next(alike, None)
    if single is not None or number is None or dimension.steps == 0 or number < min(dimension.low, 0):
        return single
    return dimension.at(dimension.position(number))
