"""One look a second at a store for all who watch it, and none while nobody does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import Final

from tuner.serve.reader import Seen

EVERY_S: Final = 1.0
SOON_S: Final = 0.1
"""Between two looks while a part of the store is still to be read."""
BEAT_S: Final = 15.0
"""A watcher hears something at least this often, so that one that is gone is found."""
MOST_WATCHERS: Final = 200


class Full(Exception):
    """There are as many watchers as there may be."""


class Watch:
    """What `look` gave last. `look` is called in a thread, once at a time."""

    def __init__(self, look: Callable[[], Seen]) -> None:
        self._look = look
        self._seen = Seen()
        self._looked_s = float("-inf")
        self._turn = asyncio.Lock()
        self._watchers = 0
        self._stirred = asyncio.Event()
        self._ticking: asyncio.Task[None] | None = None
        self._closed = False

    async def now(self) -> Seen:
        """Return what was seen less than a second ago, or now where not all has been read."""
        async with self._turn:
            every_s = 0.0 if self._seen.unread else EVERY_S
            if time.monotonic() - self._looked_s >= every_s and not self._closed:
                self._seen = await asyncio.to_thread(self._look)
                self._looked_s = time.monotonic()
        return self._seen

    async def changes(self) -> AsyncGenerator[Seen]:
        """Yield what is seen now, then whenever it has changed, and the same again every `BEAT_S`; raise `Full`."""
        if self._watchers >= MOST_WATCHERS:
            raise Full
        self._watchers += 1
        try:
            yield await self.now()
            while not self._closed:
                stirred = self._stirred
                if self._ticking is None:
                    self._ticking = asyncio.create_task(self._tick())
                await stirred.wait()
                if not self._closed:
                    yield self._seen
        finally:
            self._watchers -= 1

    def close(self) -> None:
        """Let every watcher end."""
        self._closed = True
        self._stir()

    async def _tick(self) -> None:
        """Look once a second while somebody watches, and wake those who do when there is something to say."""
        told, told_s = self._seen, time.monotonic()
        try:
            while self._watchers and not self._closed:
                await asyncio.sleep(SOON_S if self._seen.unread else EVERY_S)
                seen = await self.now()
                if seen is not told or time.monotonic() - told_s >= BEAT_S:
                    told, told_s = seen, time.monotonic()
                    self._stir()
        finally:
            self._ticking = None
            self._stir()

    def _stir(self) -> None:
        self._stirred.set()
        self._stirred = asyncio.Event()
