"""The server as a process: its address, its token, what it says when it begins, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import platform
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tuner.errors import MissingTool, TunerError, UsageError
from tuner.results import Results
from tuner.serve.gate import Gate
from tuner.serve.manners import step_back
from tuner.serve.reader import Reader
from tuner.serve.starting import Asking
from tuner.terminal_text import shown

if TYPE_CHECKING:  # what only the extra has
    import uvicorn

    from tuner.serve.app import Site

PORT: Final = 8750
LOOPBACK: Final = "127.0.0.1"
MOST_CONNECTIONS: Final = 500
_TOKEN_BYTES: Final = 24
_LAST_PORT: Final = 65535
_END_S: Final = 1
_LOOK_FOR_END_S: Final = 0.1
_SILENT_S: Final = 10.0
"""So long a new connection may take to ask for something; between two requests uvicorn's own limit holds."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and the names that it goes by besides."""

    host: str = LOOPBACK
    port: int = PORT
    names: tuple[str, ...] = ()
    token: bool = False
    """Whether one is asked for on the loopback interface too."""


def serve(results: Results, address: Address, say: Callable[[str], None], asking: Asking | None = None) -> None:
    """Serve pages of a store until Ctrl-C; `say` is told how to open them, and `asking` starts sessions where pages may.

    Raises:
        MissingTool: the extra is not installed.
        UsageError: nobody can listen there.
        TunerError: there is no store that this release reads, or what it consists of has ended.

    """
    check_installed()
    reader = Reader(results)
    with listening(address) as listener:
        secret = secrets.token_urlsafe(_TOKEN_BYTES) if _needs_token(address, asking) else None
        port = listener.getsockname()[1]
        rules = _gate(address, port, secret)
        taken = _taken(listener, rules, asking)
        step_back()
        _warm_up(reader)
        say(f"serving {reader.store.where} at http://{_in_url(address.host)}:{port}/ (Ctrl-C ends it)")
        if secret:
            say(f"token: {secret}")
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_until_stopped(reader, rules, taken, asking))
        if asking is not None and getattr(taken, "gone", False) and not asking.is_orphan:
            raise TunerError("what takes the server's connections has ended", advice="begin the server again")


def _taken(listener: socket.socket, rules: Gate, asking: Asking | None) -> socket.socket:
    """Return what connections come from: where sessions may be stopped, who stands before the server."""
    if asking is None or asking.stopping is None:
        return listener
    from tuner.serve import doorman

    return doorman.before(listener, rules, asking)


def _warm_up(reader: Reader) -> None:
    """Load now what the first pages would wait for."""
    from tuner.serve import pages

    reader.look()
    pages.prepare()


def check_installed() -> None:
    """Raise `MissingTool`, saying what to install, where the extra is not installed."""
    try:
        import starlette  # noqa: F401 - asked whether it is there
        import uvicorn  # noqa: F401 - the same
    except ImportError as reason:
        advice = f"{sys.executable} -m pip install 'stack-tuner[serve]'"
        raise MissingTool(f"`tuner serve` needs Starlette and uvicorn: {reason}", advice=advice) from reason


def listening(address: Address) -> socket.socket:
    """Return a socket that listens; raise `UsageError` saying why there can be none."""
    where = f"{_in_url(address.host)}:{address.port}"
    if not 0 <= address.port <= _LAST_PORT:
        raise UsageError(f"--port {address.port} is no port", advice=f"0 to {_LAST_PORT}; 0 takes a free one")
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((address.host, address.port), family=family, backlog=128)
    except UnicodeError as reason:  # what getaddrinfo(3) is not even asked about
        raise UsageError(f"{shown(address.host)} cannot be an address", advice="see --address") from reason
    except OSError as reason:
        if reason.errno == errno.EADDRINUSE:
            raise UsageError(f"{where} is taken by another program", advice="--port 0 takes a free one") from reason
        said = reason.strerror or str(reason)
        raise UsageError(f"cannot listen on {where}: {said}", advice="see --address and --port") from reason


def _needs_token(address: Address, asking: Asking | None) -> bool:
    return address.token or asking is not None or not _is_loopback(address.host)


def _quiet() -> None:
    """Have uvicorn say nothing: whoever sends it garbage would fill the terminal, a line or a traceback for each."""
    log = logging.getLogger("uvicorn")
    log.addHandler(logging.NullHandler())
    log.propagate = False


async def _until_stopped(reader: Reader, gate: Gate, listener: socket.socket, asking: Asking | None) -> None:
    import uvicorn

    from tuner.serve.app import Site, app

    _quiet()
    site = Site(reader, gate, asking=asking)
    config = uvicorn.Config(
        app(site),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        http="h11",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_END_S,
    )
    server = uvicorn.Server(config)
    ending = asyncio.create_task(_end_streams(server, site, listener))
    await server.serve(sockets=[listener])
    ending.cancel()


async def _end_streams(server: uvicorn.Server, site: Site, listener: socket.socket) -> None:
    """Let those who watch go once the server is to end, because it waits for every answer that is not whole.

    Until then connections over which nobody asks for anything are closed: enough of them would keep everybody else out.
    """
    silent: Mapping[Any, float] = {}
    while not server.should_exit:
        await asyncio.sleep(_LOOK_FOR_END_S)
        silent = without_silent(server.server_state.connections, silent, time.monotonic())
        if site.asking is not None and (site.asking.is_orphan or getattr(listener, "gone", False)):
            server.should_exit = True
    site.watch.close()


def without_silent(connections: Iterable[Any], since: Mapping[Any, float], now_s: float) -> Mapping[Any, float]:
    """Close connections of uvicorn that have had no whole request for `_SILENT_S`; return since when each other one has none."""
    silent = {each: since.get(each, now_s) for each in connections if each.cycle is None}
    for each, began_s in silent.items():
        if now_s - began_s > _SILENT_S:
            each.transport.close()
    return silent


def _gate(address: Address, port: int, token: str | None) -> Gate:
    any_address = _is_any(address.host)
    own = [platform.node()] if not _is_loopback(address.host) else []
    names = [*address.names, *own, *([] if any_address else [address.host])]
    return Gate(port, _small(names), any_address, token)


def _small(names: Iterable[str]) -> frozenset[str]:
    return frozenset(each.lower() for each in names if each)


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _is_any(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_unspecified
    return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
