"""Who stands before a server that starts sessions: it takes every connection, hands it on, and itself answers to Stop.

The server may have to wait for a CPU that nobody else wants, and whatever it is asked waits with it. Stop must not: who presses
it wants the CPUs back. So a small process at the usual priority takes what comes in, looks at its first words without
reading them (`MSG_PEEK`, recv(2)), and hands the connection on as it is (`SCM_RIGHTS`, unix(7)) unless these ask for Stop. The gate's
rules hold there too. What goes over a connection afterwards does not pass through it, so that watchers cost it nothing.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, quote

import h11

from tuner.errors import TunerError, UsageError
from tuner.serve import gate, pages
from tuner.serve.gate import Asked, Gate
from tuner.serve.starting import Asking, Started

STOP: Final = "/stop"
MOST_WAITING: Final = 500
"""So many connections over which nothing was asked yet are kept; the oldest goes for a new one."""
MOST_STOPPING: Final = 16
"""So many may ask for Stop at once; who takes longest to say so goes for a new one, because a browser says it in one breath."""
_FIRST: Final = f"POST {STOP} ".encode()
_SILENT_S: Final = 10.0
_LOOK_S: Final = 1.0
_TO_SAY_S: Final = 3.0
"""How long somebody may take to ask for Stop once he has begun to."""
_MOST_HEAD: Final = 16_384
_MOST_BODY: Final = 4096
_BREATH_S: Final = 0.1


class Handed(socket.socket):
    """A server's end: connections that were handed on, as a listening socket gives them."""

    gone: bool = False
    """Whether nobody hands on any more."""

    def listen(self, backlog: int = 0, /) -> None:
        """Do nothing: it is the doorman who listens."""

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection; raise `ConnectionAbortedError` where there will be none."""
        _, found, _, _ = socket.recv_fds(self, 1, 1)
        if not found:
            self.gone = True
            raise ConnectionAbortedError("nobody hands connections on")
        os.set_inheritable(found[0], False)  # noqa: FBT003 - its parameters have no names
        return socket.socket(fileno=found[0]), ("", 0)


def before(listener: socket.socket, rules: Gate, asking: Asking) -> Handed:
    """Begin a doorman as a process of this priority, which ends with this one; return what it hands on.

    It takes over the connection of `asking` over which can only be asked to stop.
    """
    if asking.stopping is None:
        raise ValueError("nobody could be asked to stop")
    mine, theirs = socket.socketpair()
    if os.fork() == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the server
        mine.close()
        asking.connection.close()
        with contextlib.suppress(Exception):  # the server sees that it is gone, and ends
            Doorman(listener, theirs, rules, Asking(asking.stopping)).serve()
        os._exit(0)
    theirs.close()
    asking.stopping.close()
    listener.close()
    return Handed(fileno=mine.detach())


@dataclass(slots=True)
class Doorman:
    """One doorman: `server` is where connections are handed on to."""

    listener: socket.socket
    server: socket.socket
    rules: Gate
    asking: Asking
    _waiting: dict[socket.socket, float] = field(default_factory=dict)
    """The connections over which nothing was asked yet, oldest first, and since when."""
    _stopping: dict[socket.socket, None] = field(default_factory=dict)
    """The connections over which Stop is asked for, oldest first; a thread hears each of them and takes it out at its end."""

    def serve(self) -> None:
        """Take and hand on connections until the server is gone."""
        self.server.settimeout(0.0)
        self.listener.settimeout(0.0)
        with selectors.DefaultSelector() as every:
            every.register(self.server, selectors.EVENT_READ)
            every.register(self.listener, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in every.select(_LOOK_S)]
                if self.server in ready:  # it says nothing: that is its end
                    return
                self._turn(every, ready)

    def _turn(self, every: selectors.BaseSelector, ready: Iterable[Any]) -> None:
        for each in ready:
            if each is self.listener:
                self._take(every)
            elif each in self._waiting:
                self._forget(every, each)
                self._decide(each)
        late = [each for each, since_s in self._waiting.items() if time.monotonic() - since_s > _SILENT_S]
        for each in [*late, *list(self._waiting)[: max(0, len(self._waiting) - MOST_WAITING)]]:
            if each in self._waiting:
                self._forget(every, each)
                each.close()

    def _take(self, every: selectors.BaseSelector) -> None:
        try:
            connection, _ = self.listener.accept()
        except OSError:  # it went away again, or there are too many files open
            time.sleep(_BREATH_S)
            return
        connection.settimeout(0.0)
        every.register(connection, selectors.EVENT_READ)
        self._waiting[connection] = time.monotonic()

    def _forget(self, every: selectors.BaseSelector, connection: socket.socket) -> None:
        every.unregister(connection)
        del self._waiting[connection]

    def _decide(self, connection: socket.socket) -> None:
        """Hand on a connection over which something is asked, unless it is Stop."""
        with contextlib.suppress(OSError):
            if connection.recv(len(_FIRST), socket.MSG_PEEK) == _FIRST:
                self._make_room()
                self._stopping[connection] = None
                threading.Thread(target=self._stop, args=(connection,), daemon=True).start()
                return
            socket.send_fds(self.server, [b"c"], [connection.fileno()])
        connection.close()

    def _make_room(self) -> None:
        """Break off who has taken longest to ask for Stop, where so many do."""
        for slowest in list(self._stopping)[: max(0, len(self._stopping) - MOST_STOPPING + 1)]:
            self._stopping.pop(slowest, None)
            with contextlib.suppress(OSError):  # it has just been answered
                slowest.shutdown(socket.SHUT_RDWR)

    def _stop(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                connection.sendall(answered(connection, self.rules, self.asking))
        finally:
            self._stopping.pop(connection, None)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is answered: where to go from there, if anywhere, and whether the text is a page."""

    status: HTTPStatus
    text: str
    to: str = ""
    page: bool = False

    def encoded(self) -> bytes:
        """Return it as it goes over a connection."""
        text = f"{self.text}\n".encode()
        told = {
            **gate.HEADERS,
            "content-type": f"text/{'html' if self.page else 'plain'}; charset=utf-8",
            "content-length": str(len(text)),
            "connection": "close",
            **({"location": self.to} if self.to else {}),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        return f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n{lines}\r\n".encode() + text


def answered(connection: socket.socket, rules: Gate, asking: Asking) -> bytes:
    """Read a request for Stop, do what it asks where the gate lets it, and return the answer."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEAD)
    try:
        return _answer(*_heard(connection, parser), rules, asking).encoded()
    except (h11.RemoteProtocolError, TimeoutError, ValueError):
        return _Answer(HTTPStatus.BAD_REQUEST, "that is no form").encoded()


def _heard(connection: socket.socket, parser: h11.Connection) -> tuple[Asked, bytes]:
    """Return a whole request and its body; raise `RemoteProtocolError` or `TimeoutError` for what is none in time."""
    until_s, asked, body = time.monotonic() + _TO_SAY_S, None, b""
    while True:
        match parser.next_event():
            case h11.Request() as request:
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
                asked = Asked(request.method.decode(), request.target.decode("latin-1"), headers)
            case h11.Data() as part:
                body += part.data
            case h11.EndOfMessage() if asked:
                return asked, body
            case h11.NEED_DATA if len(body) <= _MOST_BODY:
                connection.settimeout(max(_BREATH_S, until_s - time.monotonic()))
                parser.receive_data(_some(connection, until_s))
            case _:
                raise h11.RemoteProtocolError("that is no request")


def _some(connection: socket.socket, until_s: float) -> bytes:
    if time.monotonic() > until_s:
        raise TimeoutError
    return connection.recv(_MOST_BODY)


def _answer(asked: Asked, form: bytes, rules: Gate, asking: Asking) -> _Answer:
    wants_page = "text/html" in asked.headers.get("accept", "")
    if refusal := rules.refusal(asked):
        if refusal.login and wants_page:
            return _Answer(HTTPStatus.SEE_OTHER, refusal.why, gate.LOGIN)
        return _Answer(refusal.status, refusal.why)
    session = dict(parse_qsl(form.decode(), max_num_fields=40, strict_parsing=True)).get("session", "")
    try:
        now = asking.stop(session)
    except UsageError as reason:
        return _Answer(HTTPStatus.BAD_REQUEST, reason.message)
    except (TunerError, OSError):
        return _Answer(HTTPStatus.SERVICE_UNAVAILABLE, "what starts sessions is gone: begin the server again")
    to = f"/sessions/{quote(session, safe='')}"
    return _Answer(HTTPStatus.OK, _page(now, to), page=True) if wants_page else _Answer(HTTPStatus.SEE_OTHER, "", to)


def _page(now: Started, to: str) -> str:
    """Return a page that says what was asked, can ask again, and goes on to the session's own as soon as that comes.

    It needs no other file, which would come from the server.
    """
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><meta http-equiv="refresh" content="1; url={to}"><title>Asked to end</title>'
    body = f'<main><h1>Asked to end</h1>{pages.stop_form(now)}<p><a href="{to}">The session</a>, which comes by itself.</p></main>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'
