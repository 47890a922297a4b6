"""A session has its host and its own records for itself: who comes second waits for a turn, or is refused in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tuner import database_url, exclusive
from tuner.errors import Busy, StoreError
from tuner.exclusive import Holder, Taken
from tuner.hosts.host import Turn
from tuner.hosts.pair import Pair
from tuner.results import Results
from tuner.session.measuring.clock import Clock

_BETWEEN_S: Final = 1.0
"""Between two looks whether it is our turn; a look takes microseconds, which the session that measures does not feel."""
_TOLD_EVERY_S: Final = 60.0


@contextmanager
def turn(pair: Pair, what: str, clock: Clock, note: Callable[[str], None], *, wait: bool) -> Iterator[Turn | None]:
    """Have the host's turn, waiting for it beside the budget; None on a host where nobody takes turns.

    Raises:
        Busy: somebody else measures, and nobody wants to wait.

    """
    with ExitStack() as held:
        began_s = clock.now()
        try:
            lock = held.enter_context(_turns(pair, what))
        except Taken as taken:
            if not wait:
                advice = "leave out --no-wait to begin when it has ended"
                raise Busy(f"the host is taken: {taken.holder} measures", advice=advice) from taken
            lock = _awaited(pair, what, taken.holder, note, held)
            clock.hold(clock.now() - began_s)
        yield lock


@contextmanager
def _turns(pair: Pair, what: str) -> Iterator[Turn | None]:
    """Hold the turns of both hosts, one where they are one machine; yield the server's."""
    with ExitStack() as held:
        server, *client = pair.hosts
        lock = held.enter_context(server.turn(what))
        for other in client:
            if not other.network().is_where(server.network()):
                held.enter_context(other.turn(what))
        yield lock


def _awaited(pair: Pair, what: str, holder: Holder, note: Callable[[str], None], held: ExitStack) -> Turn | None:
    """Return the host's turn once it is ours, and say meanwhile whose it is."""
    began_s = told_s = time.monotonic()
    note(f"waiting for the host, which has one session at a time: {holder} measures. Ctrl-C ends the waiting")
    while True:
        time.sleep(_BETWEEN_S)
        try:
            lock = held.enter_context(_turns(pair, what))
        except Taken as taken:
            now_s = time.monotonic()
            if str(taken.holder) != str(holder) or now_s - told_s >= _TOLD_EVERY_S:
                holder, told_s = taken.holder, now_s
                note(f"waiting since {now_s - began_s:.0f} s: {holder} measures")
        else:
            note(f"waited {time.monotonic() - began_s:.0f} s for the host")
            return lock


@contextmanager
def of_session(at: Results | None, session: str) -> Iterator[None]:
    """Have the records of a session for oneself, where they are in a results folder.

    Raises:
        Busy: somebody else goes on with it.
        StoreError: the results were taken away meanwhile.

    """
    with ExitStack() as held:
        if at is None:
            yield
            return
        try:
            at.of(session).mkdir(parents=True, exist_ok=True)
            lock = held.enter_context(exclusive.held(at.lock(session), f"session {session}"))
        except Taken as taken:
            raise _under_way(session, taken.holder) from taken
        yield
        if not _still_has(at, session):
            raise _taken_away(at, session, lock.stands_at())


def _taken_away(at: Results, session: str, lock: Path | None) -> StoreError:
    """Return what is said where a results folder is no longer in its place; the session's lock may have gone with it."""
    moved = _in_folder(at, lock.parent.parent) if lock else None
    if moved and _still_has(moved, session):
        message = f"{at.folder} was moved to {moved.folder} while session {session} ran: its runs are there"
        return StoreError(message, advice=f"tuner sessions show {session}{moved.options()}")
    message = f"{at.folder} was removed or replaced while session {session} ran: its runs are in no file any more"
    return StoreError(message, advice="measure again, and leave the results folder in its place meanwhile")


def _in_folder(at: Results, folder: Path) -> Results:
    """Return the same results as they are in another folder, the database by its name there."""
    there, file = Results(folder), database_url.file_of(at.url)
    if file is None or file.name == there.database.name:
        return there
    return Results(folder, database_url.of_file(folder / file.name))


def _still_has(at: Results, session: str) -> bool:
    """Return whether a results folder holds what a session has stored there: nobody took its files or its database away."""
    in_file = database_url.file_of(at.url) is not None
    return at.lock(session).exists() and (not in_file or session in {each.id for each in at.listed()})


def _under_way(session: str, holder: Holder) -> Busy:
    advice = "wait until it has ended; `tuner sessions show` says how far it is"
    return Busy(f"session {session} is under way: {holder} carries it out", advice=advice)
