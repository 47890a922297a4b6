"""What a store says now, for all who watch it: read again only where something changed, and never written.

Sessions that have ended are read once. Of a large store the newest are read first, a part at each look, so that none takes long.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tuner import database_url, exclusive
from tuner.errors import TunerError
from tuner.records import StoredSession
from tuner.results import Results, logs
from tuner.serve.glance import Glance, glance
from tuner.serve.live import Follower, Live
from tuner.store import Store, columns
from tuner.store.database import Stamp

PART: Final = 20
"""Sessions that are read together."""
LOOK_S: Final = 0.1
"""After so long a look leaves the rest to the next one."""
SETTLED_NS: Final = 1_000_000_000
"""A file that was written later than this before it was read may have been written again in the same tick of its clock."""
MOST_LIVE: Final = 8
"""Running sessions that are followed run by run: the newest."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a store said at a look. Two looks between which nothing changed give the same object."""

    sessions: Mapping[str, Glance] = field(default_factory=dict, hash=False)
    """Newest first."""
    live: Mapping[str, Live] = field(default_factory=dict, hash=False)
    lost: frozenset[str] = frozenset()
    """Those of the running ones that no process of this host carries out, where that can be told."""
    unread: int = 0
    """Sessions that a later look will read."""
    wrong: tuple[str, ...] = ()
    """What cannot be read of it."""
    trouble: str = ""
    """Why nothing can be read now."""


@dataclass(slots=True)
class Reader:
    """A store that is looked at again and again, by one thread at a time."""

    results: Results
    store: Store = field(init=False)
    seen: Seen = field(default_factory=Seen)
    _known: dict[str, tuple[Stamp, Glance | None, StoredSession | None]] = field(default_factory=dict)
    _wrong: dict[str, str] = field(default_factory=dict)
    _followers: dict[str, Follower] = field(default_factory=dict)
    _files: tuple[tuple[str, int, int, int], ...] = ()

    def __post_init__(self) -> None:
        """Open the store; raise `TunerError` where there is none that this release reads."""
        self.store = Store.reading(self.results)

    def look(self) -> Seen:
        """Return what the store says now."""
        before = self._stand()
        still = before and before == self._files and not self.seen.unread and not self.seen.trouble
        try:
            found = replace(self.seen, lost=self._lost()) if still else self._read()
        except TunerError as reason:
            found = replace(self.seen, trouble=f"{reason.message} ({reason.advice})")
        self._files = before if _is_settled(before) else ()
        if found != self.seen:
            self.seen = found
        return self.seen

    def _stand(self) -> tuple[tuple[str, int, int, int], ...]:
        """Return what shows that a file was written; nothing of a store on a server."""
        path = database_url.file_of(self.results.url)
        if path is None:
            return ()
        files = [(each, each.stat()) for each in (path, *logs(path)) if each.exists()]
        return tuple((str(each), about.st_ino, about.st_size, about.st_mtime_ns) for each, about in files)

    def _read(self) -> Seen:
        stamps = self.store.stamps()
        newest = list(reversed(stamps))
        for gone in self._known.keys() - stamps.keys():
            del self._known[gone]
        self._read_changed([each for each in newest if self._changed(each, stamps[each])], stamps)
        known = {each: self._known[each] for each in newest if each in self._known}
        live, wrong = self._followed([row for _, _, row in known.values() if row][:MOST_LIVE])
        return Seen(
            {each: found for each, (_, found, _) in known.items() if found},
            live,
            self._lost(),
            len(newest) - len(known),
            (*(self._wrong[each] for each in known if each in self._wrong), *wrong),
        )

    def _changed(self, session: str, stamp: Stamp) -> bool:
        return session not in self._known or self._known[session][0] != stamp

    def _read_changed(self, changed: Sequence[str], stamps: Mapping[str, Stamp]) -> None:
        began_s = time.monotonic()
        for at in range(0, len(changed), PART):
            part = changed[at : at + PART]
            rows, findings = self.store.some(part)
            found = {row.id: (glance(row), row) for row in rows}
            why = {each: str(finding) for finding in findings for each in part if f"session {each}," in finding.message}
            for each in part:
                brief, row = found.get(each, (None, None))
                self._known[each] = stamps[each], brief, row if brief and brief.is_running else None
                self._wrong.pop(each, None)
                if brief is None:
                    self._wrong[each] = why.get(each, f"session {each} cannot be read")
            if time.monotonic() - began_s > LOOK_S:
                return

    def _followed(self, running: Sequence[StoredSession]) -> tuple[dict[str, Live], list[str]]:
        """Return how far running sessions are, and what cannot be read of them."""
        self._followers = {row.id: self._followers.get(row.id) or Follower(self.store, row.id) for row in running}
        live, wrong = {}, []
        for row in running:
            try:
                live[row.id] = self._followers[row.id].look(row)
            except TunerError as reason:
                wrong.append(f"{row.id}: {reason.message}")
        return live, wrong

    def _lost(self) -> frozenset[str]:
        """Return the sessions that say that they run and that no process here carries out.

        Nothing is known of a store on a server, and of sessions of other hosts.
        """
        path, here = database_url.file_of(self.results.url), columns.host_named(platform.node())
        mine = [row.id for _, _, row in self._known.values() if row and row.host == here] if path else []
        return frozenset(each for each in mine if path and not exclusive.is_held(Results(path.parent).lock(each)))


def _is_settled(files: Sequence[tuple[str, int, int, int]]) -> bool:
    return all(written < time.time_ns() - SETTLED_NS for *_, written in files)
