"""Where sessions are carried out: the host, the folders, the store, and who watches. Nothing is taken from the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tuner import database_url
from tuner.catalogue import places
from tuner.catalogue.places import Places
from tuner.hosts.host import Host
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import Pair
from tuner.profiles import library
from tuner.profiles.library import Shelf
from tuner.results import FOLDER, Results
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Progress, Silent
from tuner.session.phases import early
from tuner.session.setup.many import Placed
from tuner.session.setup.plan import Plan
from tuner.store import Store

if TYPE_CHECKING:  # loaded where a cluster is named
    from tuner.session.measuring.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class Ongoing:
    """A session that has begun, or that is gone on with.

    >>> @contextmanager
    ... def watch(session):
    ...     print(session.plan.kind.value, session.plan.budget_s)
    ...     yield tuner.Silent()
    >>> answer = tuner.compare("default", "latency", budget="30s", at=tuner.Workspace(watch=watch))
    compare 30.0
    """

    id: str
    plan: Plan
    store: Store
    """It holds what was measured so far, and the host's facts with the reasons to distrust them."""
    clock: Clock

    def end_early(self) -> float:
        """Let the session end after the run in flight and a short proof of what it liked best; return the most seconds of that.

        May be called at any time, from another thread or a signal's handler.
        """
        early.end_early(self.plan, self.clock)
        return early.proof_s(self.plan)

    def continued(self) -> None:
        """Know that the process was stopped until now, as by Ctrl-Z: that time is not the budget's, nor any profile's.

        May be called at any time, from a signal's handler.
        """
        self.clock.stood = True


Watch = Callable[[Ongoing], AbstractContextManager[Progress]]
"""Called when a session begins; what is entered is told of its progress and left when the session ends, however it ends."""


@contextmanager
def unwatched(_session: Ongoing) -> Iterator[Progress]:
    """Let nobody watch."""
    yield Silent()


def unheard(_line: str) -> None:
    """Let nobody know."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """What sessions are carried out with. Two of them share nothing, so that both can be used in one process.

    >>> nightly = tuner.Workspace(folder=Path("nightly"))
    >>> answer = tuner.measure("latency", runs=2, at=nightly)
    >>> answer.session in list(tuner.open_store("nightly").sessions().session)
    True
    """

    folder: Path = FOLDER
    """The results folder: profiles that sessions end with, and the database. A relative path starts at the current folder."""
    database: str | None = None
    """The URL of the database; None for the SQLite file in the results folder."""
    host: Host = field(default_factory=LocalHost)
    """The machine that runs the benchmark: its server, and its client too unless `client` is another one."""
    client: Host | None = None
    """The machine of the client, None where it is the server's."""
    pairs: Sequence[Placed] = ()
    """Pairs of hosts that measure at once, instead of `host` and `client`."""
    cluster: Scheduler | None = None
    """The cluster whose workers measure on them; None: this process does."""
    shelves: Sequence[Shelf] = field(default_factory=library.shipped)
    """Where profiles are looked for by name, the first one first; only in this package unless others are named."""
    data: Places = field(default_factory=Places)
    """The folders of further stacks and releases."""
    watch: Watch = unwatched
    note: Callable[[str], None] = unheard
    """Told what is to be known before a session begins: that it waits for the host."""
    now: Callable[[], float] = time.monotonic
    """The clock that budgets are counted by, in seconds."""

    @staticmethod
    def of_user(environment: Mapping[str, str], current: Path, folder: Path = FOLDER) -> Workspace:
        """Return a workspace with the folders that the command line uses for the user of this environment."""
        locks = environment.get("TUNER_LOCKS")
        host = LocalHost(turns=Path(locks)) if locks else LocalHost()
        return Workspace(
            folder, host=host, shelves=library.shelves(environment, current), data=places.of_user(environment)
        )

    @property
    def pair(self) -> Pair:
        """The hosts of server and client; of many pairs the first."""
        if self.pairs:
            return self.pairs[0].pair
        return Pair(self.host, self.client or self.host)

    @property
    def results(self) -> Results:
        """The files of the results folder."""
        return Results(self.folder, self.database)

    def store(self) -> Store:
        """Return the store, made where there is none."""
        return Store(self.results.url)

    def existing_store(self) -> Store:
        """Return the store that sessions are read from; raise `UsageError` where the results folder has none."""
        return Store.existing(self.results)

    @property
    def locked_results(self) -> Results | None:
        """The folder of the records of sessions, if they are in a file; a database on a server has locks of its own."""
        file = database_url.file_of(self.results.url)
        return Results(file.parent, self.results.url) if file else None

    def clock(self, budget_s: float, before_s: float = 0.0) -> Clock:
        """Return a clock that starts now."""
        return Clock(budget_s, before_s, self.now(), self.now)
