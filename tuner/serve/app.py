"""What is answered to which request."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tuner.catalogue import facts
from tuner.errors import TunerError, UsageError
from tuner.report import files
from tuner.results import is_session_id
from tuner.serve import gate, pages
from tuner.serve.ended import Ended, ended
from tuner.serve.gate import Asked, Gate
from tuner.serve.glance import Glance
from tuner.serve.manners import Manners, make_way, manners
from tuner.serve.pages import ListView
from tuner.serve.reader import Reader, Seen
from tuner.serve.reports import Crowded, Made, Reports
from tuner.serve.starting import LEAST_S, MOST_S, OBJECTIVES, Asking, Started, wish
from tuner.serve.watch import MOST_WATCHERS, Full, Watch
from tuner.serve.worth import Profile, profiles
from tuner.session.history import GAIN, Wanted, history
from tuner.store import columns

ASSETS: Final[Mapping[str, str]] = {
    "report.css": "text/css",
    "serve.css": "text/css",
    "report.js": "text/javascript",
    "serve.js": "text/javascript",
}
MOST_COMPARED: Final = 12
MOST_WORDS: Final = 100
MOST_PAGES: Final = 100_000
MOST_FORM_BYTES: Final = 8192
PATIENCE_S: Final = 0.1
"""For so long a report is waited for; then who asked is told to wait."""
RUNNING_S: Final = 60.0
"""So long a report of a running session is shown before it is made again."""
MOST_ANSWERS: Final = 500
_KEPT_FRAGMENTS: Final = 64


@dataclass(slots=True)
class Site:
    """One server: what it reads, who may ask, and what it has made."""

    reader: Reader
    gate: Gate
    reports: Reports = field(default_factory=Reports)
    asking: Asking | None = None
    """Who starts sessions, where pages may."""
    usable: frozenset[int] = field(default_factory=lambda: frozenset(os.sched_getaffinity(0)))
    watch: Watch = field(init=False)
    _answers: dict[tuple[str, object, float], Ended | str] = field(default_factory=dict)
    _fragments: dict[object, bytes] = field(default_factory=dict)
    _of: Seen | None = None
    _profiles: tuple[Mapping[str, Glance], list[Profile]] | None = None

    def __post_init__(self) -> None:
        """Make what looks at the store for everybody."""
        self.watch = Watch(self._look)

    def _look(self) -> Seen:
        seen = self.reader.look()
        make_way(measured(seen), self.usable)
        return seen

    def manners(self, seen: Seen) -> Manners:
        """Return how this process runs, and where something is measured."""
        return manners(measured(seen), starts=self.asking is not None)

    def started(self) -> Started | None:
        """Return what became of the session that was started here, None where none may be."""
        return self.asking.state() if self.asking else None

    def profiles(self, seen: Seen) -> list[Profile]:
        """Return what profiles are worth where, found once for what was seen."""
        if self._profiles is None or self._profiles[0] is not seen.sessions:
            self._profiles = seen.sessions, profiles(seen.sessions.values())
        return self._profiles[1]

    def told(self, glance: Glance) -> Ended | str | None:
        """Return what a session answered, or why that cannot be read; None of one that is running."""
        if glance.is_running:
            return None
        key = glance.id, glance.state, glance.spent_s
        if key not in self._answers:
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            self._answers[key] = self._answer(glance.id)
        return self._answers[key]

    def _answer(self, session: str) -> Ended | str:
        try:
            rows, findings = self.reader.store.some([session])
            return ended(rows[0]) if rows else "; ".join(map(str, findings)) or "the session is gone"
        except TunerError as reason:
            return f"{reason.message}: {reason.advice}"

    def fragment(self, seen: Seen, view: ListView | str) -> bytes:
        """Return one message of a stream of events, made once for all who watch the same."""
        if seen is not self._of:
            self._of, self._fragments = seen, {}
        if view not in self._fragments:
            if len(self._fragments) >= _KEPT_FRAGMENTS:
                self._fragments.clear()
            self._fragments[view] = self._event(seen, view)
        return self._fragments[view]

    def _event(self, seen: Seen, view: ListView | str) -> bytes:
        if isinstance(view, ListView):
            parts = pages.list_parts(seen, view, self.manners(seen))
        elif view in seen.sessions:
            glance = seen.sessions[view]
            parts = pages.session_parts(seen, glance, self.told(glance), self.manners(seen), self.started())
        else:
            return b": gone\n\n"
        return f"event: parts\ndata: {json.dumps(parts)}\n\n".encode()


def measured(seen: Seen) -> frozenset[int]:
    """Return the CPUs that sessions of this host measure on now."""
    here = columns.host_named(platform.node())
    running = (each for each in seen.sessions.values() if each.is_running and each.id not in seen.lost)
    return frozenset(cpu for each in running if each.host in {None, here} for cpu in each.cpus)


def app(site: Site) -> ASGIApp:
    """Return the application that answers for a site."""
    routes = [
        Route("/", _with(site, _list)),
        Route("/sessions/{id}", _with(site, _session)),
        Route("/sessions/{id}/report", _with(site, _report)),
        Route("/compare", _with(site, _compare)),
        Route("/profiles", _with(site, _profiles)),
        Route("/history", _with(site, _history)),
        Route("/events", _with(site, _events)),
        Route("/events/{id}", _with(site, _events)),
        Route("/assets/{name}", _asset),
        Route("/login", _with(site, _login), methods=["GET", "POST"]),
    ]
    if site.asking is not None:
        routes += [
            Route("/start", _with(site, _start), methods=["GET", "POST"]),
            Route("/stop", _with(site, _stop), methods=["POST"]),
        ]
    handlers = {HTTPException: _with_error(site), TunerError: _with_error(site), Exception: _with_error(site)}
    return guarded(Starlette(routes=routes, exception_handlers=handlers), site)


Answer = Callable[[Site, Request], Awaitable[Response]]


def _with(site: Site, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        return await answer(site, request)

    return answered


def guarded(inner: ASGIApp, site: Site) -> ASGIApp:
    """Return an application that only passes on what the gate lets in, and that tells browsers to be strict."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = site.gate.refusal(Asked(scope["method"], scope["path"], headers))
        wants_page = "text/html" in headers.get("accept", "")
        chosen = inner if refusal is None else _refused(refusal, wants_page=wants_page)
        await chosen(scope, receive, _strict(send, closing=site.asking is not None))

    return answer


def _strict(send: Send, *, closing: bool) -> Send:
    """Return what sends an answer with what every one says; `closing` where the next request is to come past the doorman again."""
    closes = [(b"connection", b"close")] if closing else []

    async def strictly(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = [(name.encode(), value.encode()) for name, value in gate.HEADERS.items()]
            message["headers"] = [*message.get("headers", ()), *ours, *closes]
        await send(message)

    return strictly


def _refused(refusal: gate.Refusal, *, wants_page: bool) -> Response:
    if refusal.login and wants_page:
        return RedirectResponse(gate.LOGIN, HTTPStatus.SEE_OTHER)
    asks = {"www-authenticate": "Bearer"} if refusal.login else {}
    return PlainTextResponse(f"{refusal.why}\n", refusal.status, asks)


async def _list(site: Site, request: Request) -> Response:
    seen, view = await site.watch.now(), _view(request)
    events = f"/events?{urlencode({'q': view.words, 'page': view.page})}"
    where = site.reader.store.where
    return HTMLResponse(pages.list_page(seen, view, site.manners(seen), where, events))


async def _session(site: Site, request: Request) -> Response:
    seen = await site.watch.now()
    glance = _glance(seen, request.path_params["id"])
    told = await asyncio.to_thread(site.told, glance)
    started = await asyncio.to_thread(site.started)
    return HTMLResponse(pages.session_page(seen, glance, told, site.manners(seen), started))


async def _report(site: Site, request: Request) -> Response:
    seen = await site.watch.now()
    return await _reported(site, seen, [_glance(seen, request.path_params["id"])], "The report")


async def _compare(site: Site, request: Request) -> Response:
    seen = await site.watch.now()
    wanted = list(dict.fromkeys(request.query_params.getlist("s")))
    if not 2 <= len(wanted) <= MOST_COMPARED:  # noqa: PLR2004 - one is not compared
        raise UsageError(f"{len(wanted)} sessions are marked", advice=f"mark two or more, up to {MOST_COMPARED}")
    return await _reported(site, seen, [_glance(seen, each) for each in wanted], "The comparison")


async def _profiles(site: Site, request: Request) -> Response:
    seen = await site.watch.now()
    every = await asyncio.to_thread(site.profiles, seen)
    return HTMLResponse(pages.profiles_page(seen, every, _view(request), site.manners(seen)))


async def _history(site: Site, request: Request) -> Response:
    """Answer with the history of a profile that a session judged: `s` is the session, `p` the profile, `m` the metric."""
    seen = await site.watch.now()
    glance = _glance(seen, request.query_params.get("s", ""))
    name, metric = request.query_params.get("p", ""), request.query_params.get("m", GAIN)[:MOST_WORDS]
    judged = next((each for each in glance.judged if each.profile == name), None)
    if judged is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "that session judged no profile of that name")
    wanted = Wanted(judged.settings, glance.stack, metric, every_host=glance.host is None, of_host=glance.host)

    def make() -> str:
        return pages.history_page(history(site.reader.store, wanted), glance.id, name)

    over = len(seen.sessions) + seen.unread - sum(each.is_running for each in seen.sessions.values())
    key = "history", glance.id, name, metric, over
    return await _made(site, seen, key, make, "The history")


async def _start(site: Site, request: Request) -> Response:
    asking = _asking(site)
    if request.method == "POST":
        await asyncio.to_thread(asking.start, wish(dict(await _form(request))))
        return RedirectResponse("/start", HTTPStatus.SEE_OTHER)
    started, seen = await asyncio.to_thread(asking.state), await site.watch.now()
    stacks = tuple(each.name for each in facts.every())
    about = pages.Starting(started, stacks, OBJECTIVES, LEAST_S, MOST_S)
    return HTMLResponse(pages.start_page(about, site.manners(seen)))


async def _stop(site: Site, request: Request) -> Response:
    session = dict(await _form(request)).get("session", "")
    await asyncio.to_thread(_asking(site).stop, session)
    return RedirectResponse(f"/sessions/{quote(session, safe='')}", HTTPStatus.SEE_OTHER)


def _asking(site: Site) -> Asking:
    if site.asking is None:
        raise HTTPException(HTTPStatus.FORBIDDEN, "this server starts and stops nothing: see --allow-start")
    return site.asking


async def _reported(site: Site, seen: Seen, chosen: Sequence[Glance], what: str) -> Response:
    """Return the report of sessions, or a page that waits for it."""

    def make() -> str:
        store = site.reader.store
        return files.as_html(files.found(store, [store.session(each.id) for each in chosen]), pages.frame())

    return await _made(site, seen, tuple(_moment(each) for each in chosen), make, what)


async def _made(site: Site, seen: Seen, key: Hashable, make: Callable[[], str], what: str) -> Response:
    """Return a page that takes seconds, or one that asks for it again by itself while it is being made."""
    found = await asyncio.to_thread(site.reports.page, key, make, PATIENCE_S)
    how = site.manners(seen)
    if isinstance(found, Made):
        if found.why_not:
            raise found.why_not
        return HTMLResponse(pages.with_foot(found.page, how))
    if isinstance(found, Crowded):
        said = pages.message("Too many reports are being made", "Load the page again in a moment.", how)
        return HTMLResponse(said, HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "5"})
    said = f"{what} is being made of all runs, which takes a few seconds; it comes by itself."
    return HTMLResponse(pages.message("One moment", said, how, refresh=True), HTTPStatus.ACCEPTED)


def _moment(glance: Glance) -> tuple[str, object, float]:
    """Return what a report is of: a session as it ended, or as it was within a minute while it runs."""
    return glance.id, glance.state, time.monotonic() // RUNNING_S if glance.is_running else glance.spent_s


async def _events(site: Site, request: Request) -> Response:
    named = request.path_params.get("id")
    view = _view(request) if named is None else _glance(await site.watch.now(), named).id
    changes = site.watch.changes()
    try:
        first = await anext(changes)
    except Full as reason:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, f"{MOST_WATCHERS} pages are watched already") from reason
    return StreamingResponse(_stream(site, view, first, changes), media_type="text/event-stream")


async def _stream(site: Site, view: ListView | str, first: Seen, changes: AsyncGenerator[Seen]) -> AsyncIterator[bytes]:
    """Yield the parts of a page whenever they have changed, and something to be heard meanwhile."""
    async with aclosing(changes):
        yield b"retry: 2000\n\n" + await asyncio.to_thread(site.fragment, first, view)
        told = first
        async for seen in changes:
            yield b": still here\n\n" if seen is told else await asyncio.to_thread(site.fragment, seen, view)
            told = seen


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ASSETS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return Response(pages.asset(name), media_type=ASSETS[name])


async def _login(site: Site, request: Request) -> Response:
    how = manners()
    if site.gate.token is None:
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)
    if request.method != "POST":
        return HTMLResponse(pages.login(how, wrong=False))
    told = dict(await _form(request)).get("token", "")
    if not site.gate.opens(told.strip()):
        return HTMLResponse(pages.login(how, wrong=True), HTTPStatus.FORBIDDEN)
    return RedirectResponse("/", HTTPStatus.SEE_OTHER, {"set-cookie": site.gate.cookie()})


async def _form(request: Request) -> list[tuple[str, str]]:
    """Return the fields of a form; raise `HTTPException` for what is none, or too large."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MOST_FORM_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the form is too large")
    try:
        return parse_qsl(data.decode(), max_num_fields=40, strict_parsing=bool(data))
    except ValueError as reason:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "that is no form") from reason


def _view(request: Request) -> ListView:
    page = request.query_params.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < len(str(MOST_PAGES)) else 1
    return ListView(request.query_params.get("q", "")[:MOST_WORDS].strip(), max(1, number))


def _glance(seen: Seen, session: str) -> Glance:
    """Return the session of an id; raise `HTTPException` where there is none."""
    found = seen.sessions.get(session) if is_session_id(session) else None
    if found is None:
        later = f" yet: {seen.unread} are being read" if seen.unread else ""
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no session of that name in this store{later}")
    return found


def _with_error(site: Site) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return what tells somebody by a page that, and why, there is no other one."""

    async def told(_request: Request, reason: Exception) -> Response:
        how = site.manners(await site.watch.now())
        if isinstance(reason, HTTPException):
            status = HTTPStatus(reason.status_code)
            return HTMLResponse(pages.message(status.phrase, reason.detail, how), status)
        if isinstance(reason, TunerError):
            status = HTTPStatus.BAD_REQUEST if isinstance(reason, UsageError) else HTTPStatus.SERVICE_UNAVAILABLE
            said = pages.message(
                "It cannot be shown", reason.message, how, findings=reason.findings, advice=reason.advice
            )
            return HTMLResponse(said, status)
        if isinstance(reason, ClientDisconnect):
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        said = f"{type(reason).__name__}: a mistake of this program. Please report it."
        return HTMLResponse(pages.message("Something is wrong here", said, how), HTTPStatus.INTERNAL_SERVER_ERROR)

    return told
