"""Pages that take seconds: made one after the other by a thread, kept while there is room, and waited for by whoever asks."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from queue import Full, Queue
from typing import Final

from tuner.errors import TunerError

UNDRAWN: Final = b'<p class="undrawn">'
"""What stands where a plot could not be drawn (`parts.html.j2`): in the time that a busy host left for it, perhaps."""
MOST_BYTES: Final = 64 << 20
MOST_KEPT: Final = 200
MOST_WAITING: Final = 8


@dataclass(frozen=True, slots=True)
class Made:
    """A page, or why there is none."""

    page: bytes = b""
    why_not: TunerError | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A page that is being made, or that waits for its turn."""


@dataclass(frozen=True, slots=True)
class Crowded:
    """So many pages wait that this one has to be asked for again."""


class Reports:
    """The pages that were made, the least used of them forgotten first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._made: OrderedDict[Hashable, Made] = OrderedDict()
        self._asked: Queue[tuple[Hashable, Callable[[], str]]] = Queue(MOST_WAITING)
        self._waiting: set[Hashable] = set()
        self._turn = threading.Condition()
        self._maker: threading.Thread | None = None

    def page(self, key: Hashable, make: Callable[[], str], wait_s: float) -> Made | Waiting | Crowded:
        """Return what `make` gives for a key, waiting for it a little; it is begun by the first who asks."""
        with self._turn:
            if key not in self._made and key not in self._waiting and not self._begun(key, make):
                return Crowded()
            self._turn.wait_for(lambda: key in self._made, wait_s)
            if key not in self._made:
                return Waiting()
            self._made.move_to_end(key)
            found = self._made[key]
            if found.why_not or UNDRAWN in found.page:
                del self._made[key]  # who asks again may find it mended
            return found

    def _begun(self, key: Hashable, make: Callable[[], str]) -> bool:
        try:
            self._asked.put_nowait((key, make))
        except Full:
            return False
        self._waiting.add(key)
        if self._maker is None:
            # A daemon, because the end of the server does not wait for a page.
            self._maker = threading.Thread(target=self._make, name="reports", daemon=True)
            self._maker.start()
        return True

    def _make(self) -> None:
        while True:
            key, make = self._asked.get()
            found = _made(make)
            with self._turn:
                self._waiting.discard(key)
                self._made[key] = found
                while len(self._made) > 1 and self._is_too_much():
                    self._made.popitem(last=False)
                self._turn.notify_all()

    def _is_too_much(self) -> bool:
        return len(self._made) > MOST_KEPT or sum(len(each.page) for each in self._made.values()) > self._most_bytes


def _made(make: Callable[[], str]) -> Made:
    try:
        return Made(make().encode())
    except TunerError as reason:
        return Made(why_not=reason)
    except Exception as reason:  # noqa: BLE001 - whatever it is, the thread goes on and who asked is told
        return Made(why_not=TunerError(f"the page could not be made: {type(reason).__name__}: {reason}"))
