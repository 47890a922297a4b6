"""Which of the first whole numbers are marked, in a byte each: trials of a long session, of which a set would take forty."""

from __future__ import annotations


class Marks:
    """A set of small whole numbers that is only added to."""

    def __init__(self) -> None:
        self._marked = bytearray()

    def add(self, number: int) -> None:
        """Mark a number, 0 or more."""
        self._marked.extend(bytes(max(0, number + 1 - len(self._marked))))
        self._marked[number] = 1

    def __contains__(self, number: int) -> bool:
        return number < len(self._marked) and bool(self._marked[number])
