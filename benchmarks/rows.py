"""The table of a harness of which each row takes long: it is printed row by row, and ends with whether all were good."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def printed(headers: str, names: Iterable[str], row: Callable[[str], tuple[str, bool]]) -> int:
    """Print the table; `row` returns the line of a name and whether it is good. Return the exit status: 1 where one is not."""
    print(f"{headers}\n|{'---|' * (headers.count('|') - 1)}")
    good = True
    for name in names:
        said, fine = row(name)
        good = good and fine
        print(said, flush=True)
    return int(not good)
