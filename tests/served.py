"""A store's pages served inside this process, and sessions in it that go on as a test wants."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import many_trials
import sessions
import uvicorn

from tuner.records import Kind, Run, Trial
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.serve.app import Site, app
from tuner.serve.gate import Gate
from tuner.serve.reader import Reader
from tuner.serve.server import Address, listening
from tuner.serve.starting import Asking
from tuner.session.setup.plan import Contender
from tuner.store import Store


@dataclass(frozen=True)
class Answered:
    """What was answered to one request."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass(frozen=True)
class Served:
    """Pages under way."""

    port: int
    site: Site

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answered:
        """Return what is answered; underscores in names of headers are dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return Answered(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode())

    @contextmanager
    def stream(self, path: str) -> Iterator[http.client.HTTPResponse]:
        """Give an answer that goes on."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", path)
            with connection.getresponse() as answer:
                yield answer

    def whole(self, path: str) -> Answered:
        """Return a page that may have to be made first."""
        while (found := self.ask(path)).status == http.HTTPStatus.ACCEPTED:
            assert 'http-equiv="refresh"' in found.text
        return found


@contextmanager
def served(results: Results, token: str | None = None, asking: Asking | None = None) -> Iterator[Served]:
    """Serve a store from a thread."""
    listener = listening(Address(port=0))
    port = listener.getsockname()[1]
    site = Site(Reader(results), Gate(port, frozenset(), token=token), asking=asking)
    server = uvicorn.Server(uvicorn.Config(app(site), log_config=None, lifespan="off", ws="none", http="h11"))

    async def run() -> None:
        await server.serve(sockets=[listener])

    def end() -> None:
        server.should_exit = True
        site.watch.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        yield Served(port, site)
    finally:
        end()
        thread.join(30)


def compared(folder: Path) -> str:
    """Store a comparison in which `poll` is better than `default`; return where its history is."""
    plan = replace(sessions.PLAN, kind=Kind.COMPARE, known=(Contender("poll", {"XLIO_RX_POLL": "-1"}),), start=None)
    answer = sessions.tune(folder, SimulatedHost(sessions.polling_helps), plan)
    return f"/history?s={answer['session']}&p=poll"


@dataclass
class Going:
    """A session that is carried out by hand: its runs are those of one that was made before."""

    store: Store
    session: str
    trials: list[Trial]
    runs: list[Run]
    stored: int = field(default=0)

    @staticmethod
    def begun(folder: Path, session: str = "20260303-live", into: Store | None = None) -> Going:
        """Begin a session in a folder's store, or in another one."""
        made = many_trials.stored(folder.with_name(f"{folder.name}-made"), 12, session="made")
        whole = made.session("made")
        store = into or Store(Results(folder).url)
        store.add_session(session, whole.plan, whole.facts)
        for trial in made.trials("made"):
            store.add_trial(session, trial)
        return Going(store, session, list(made.trials("made")), list(made.runs("made")))

    def measure(self, count: int = 1) -> None:
        """Store the next runs."""
        for run in self.runs[self.stored : self.stored + count]:
            self.stored += 1
            self.store.add_run(self.session, run, float(self.stored))
