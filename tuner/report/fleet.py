"""Which sessions of a store stand beside each other in a report over many hosts: of each host the latest that was asked the same."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.errors import Finding, UsageError
from tuner.records import State, StoredSession
from tuner.report.comparison import differences
from tuner.session.setup.likeness import asked_of
from tuner.store import Store


@dataclass(frozen=True, slots=True)
class OfHosts:
    """The sessions of a report, oldest first, and why others that were asked the same are not in it."""

    sessions: tuple[StoredSession, ...]
    left_out: tuple[Finding, ...]


def of_all_hosts(store: Store, like: StoredSession | None) -> OfHosts:
    """Return the latest finished session of each host that was asked the same as `like`, or as the newest of all.

    Raise `UsageError` where no session is finished.
    """
    readable, wrong = store.readable()
    finished = [row for row in readable if row.state is State.DONE]
    if not finished:
        raise UsageError(f"no session of {store.where} is finished", advice="see `tuner sessions list --all-hosts`")
    first = like or finished[-1]
    asked = asked_of(first)
    latest = {row.host: row for row in finished if asked is not None and asked_of(row) == asked} | {first.host: first}
    apart = {row.id: list(differences(first, row)) for row in latest.values()}
    chosen = tuple(row for row in finished if row in latest.values() and not apart[row.id])
    return OfHosts(chosen or (first,), (*wrong, *(finding for found in apart.values() for finding in found)))
