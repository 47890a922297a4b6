"""How Ctrl-C stops what is under way: once."""

from __future__ import annotations

import time

TYPE_CHECKING = False  # the program begins here, and `typing` takes longer than all of this
if TYPE_CHECKING:
    from types import FrameType
    from typing import Final

_CLOSING_S: Final = 3.0


class AtOnce:
    """A handler of signals that raises KeyboardInterrupt, but not again while what was measured is being put away.

    Who holds the key down, or sends the signal again and again, would break that off and leave a session that seems to
    run. After a few seconds it raises once more: then something hangs.
    """

    def __init__(self) -> None:
        self._raised_s: float | None = None

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, or do nothing where it did so a moment ago."""
        now_s = time.monotonic()
        if self._raised_s is not None and now_s - self._raised_s < _CLOSING_S:
            return
        self._raised_s = now_s
        raise KeyboardInterrupt
