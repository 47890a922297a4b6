"""Options of a table that are one choice written as many columns: found, and made one option again.

Of a codec, a page size, a lock mode such tables have a column for each value, of which one at most is set. Nobody who tunes
such a system asks for two codecs at once, so a search is asked for one of them (`none` where a row has none). A column that
follows from another option altogether (`encrypted`, where the cipher says it) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
NONE = "none"


@dataclass(frozen=True)
class Choice:
    """Columns of which one at most is set in every row."""

    columns: tuple[int, ...]

    def codes(self, rows: Numbers) -> Numbers:
        """Return which of its columns each row has, counted from 1; 0 for none."""
        return rows[:, self.columns] @ np.arange(1.0, len(self.columns) + 1)


def choices(rows: Numbers) -> list[Choice]:
    """Return the choices among the columns, the largest first; a column is in one of them at most."""
    left = [column for column in range(rows.shape[1]) if set(np.unique(rows[:, column])) == {0.0, 1.0}]
    found = []
    while len(group := max((_exclusive(rows, first, left) for first in left), key=len, default=())) > 1:
        found.append(Choice(tuple(sorted(group))))
        left = [column for column in left if column not in group]
    return found


def _exclusive(rows: Numbers, first: int, others: Sequence[int]) -> tuple[int, ...]:
    """Return a column and those others of which no row has two."""
    group = [first]
    for column in others:
        if column not in group and not np.any((rows[:, group].sum(axis=1) > 0) & (rows[:, column] > 0)):
            group.append(column)
    return tuple(group)


def determined(rows: Numbers, codes: Numbers) -> Iterator[int]:
    """Yield the columns that have one value only wherever an option with these codes has one."""
    for column in range(rows.shape[1]):
        pairs = np.unique(np.column_stack([codes, rows[:, column]]), axis=0)
        if len(pairs) == len(np.unique(codes)):
            yield column
