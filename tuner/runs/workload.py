"""What the benchmark is asked to do. Measurements of different workloads are never compared, so a workload has a key."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final

from tuner.errors import Finding, UsageError, did_you_mean, error, warning
from tuner.hosts.cpus import parse as parse_cpus

SMALLEST_MESSAGE_BYTES: Final = 14
LARGEST_MESSAGE_BYTES: Final = 65507
LONGEST_DURATION_S: Final = 36_000_000
MOST_CONNECTIONS: Final = 1024
"""The most sockets that `select` can wait for."""
PLAYBACK_BYTES: Final = 1 << 26
"""The largest playback that is read."""
_OBSERVATIONS_FOR_P99: Final = 1000
VALID_SHARE_LOST_S: Final = 0.45
"""Seconds of a timed run that the benchmark leaves out of its statistics: 400 ms at the start, 50 ms at the end."""


class Mode(StrEnum):
    """How the client sends; the names are those of its subcommands."""

    PING_PONG = "ping-pong"
    UNDER_LOAD = "under-load"
    THROUGHPUT = "throughput"
    PLAYBACK = "playback"


class Protocol(StrEnum):
    """The transport under the messages."""

    TCP = "tcp"
    UDP = "udp"


class Multiplexer(StrEnum):
    """The call in which an end waits for messages. All but `recvfrom` can wait for several sockets at once."""

    RECVFROM = "recvfrom"
    SELECT = "select"
    POLL = "poll"
    EPOLL = "epoll"


@dataclass(frozen=True, slots=True)
class Workload:
    """What the benchmark is asked to do.

    `rate_mps` None is the fastest that the mode can. `reply_every` counts in under-load and playback only.
    `duration_s` does not shape a playback, which lasts as long as its file says; it still sets the time limit.
    `playback` is the path of a file of times and sizes. `server_cpus` and `client_cpus` are lists such as
    `1` or `2-3`; empty leaves the choice to the kernel.
    """

    mode: Mode = Mode.PING_PONG
    protocol: Protocol = Protocol.TCP
    message_bytes: int = 64
    rate_mps: int | None = None
    burst: int = 1
    reply_every: int = 10
    duration_s: int = 1
    multiplexer: Multiplexer = Multiplexer.RECVFROM
    connections: int = 1
    server_threads: int = 1
    address: str = "127.0.0.1"
    playback: str | None = None
    server_cpus: str = ""
    client_cpus: str = ""

    @property
    def needs_feed(self) -> bool:
        """Return whether both ends must read their connections from a file: several of them, threads and multiplexers need one."""
        return self.multiplexer is not Multiplexer.RECVFROM or self.connections > 1 or self.server_threads > 1

    @property
    def ports_needed(self) -> int:
        """Return how many ports the server listens on: one for each connection."""
        return self.connections

    @property
    def client_threads(self) -> int:
        """Return how many threads of the client are busy: where replies are rare, one sends and another receives."""
        return 2 if self.mode in {Mode.UNDER_LOAD, Mode.PLAYBACK} else 1

    @property
    def time_limit_s(self) -> float:
        """Return the seconds after which a client hangs for sure (3.2 s of a one-second run are normal)."""
        return 5.0 + 1.5 * self.duration_s

    def problems(self) -> list[Finding]:
        """Return everything that would be refused or that would make the numbers mean nothing."""
        return [*_number_problems(self), *_shape_problems(self), *_mode_problems(self), *_place_problems(self)]

    def key(self) -> str:
        """Return the canonical text of what is measured: equal keys mean comparable measurements."""
        parts = [self.mode, self.protocol, f"{self.message_bytes}B", f"{self.duration_s}s", self.multiplexer]
        parts += [f"rate={self.rate_mps or 'max'}", f"burst={self.burst}"]
        if self.client_threads > 1:
            parts.append(f"reply-every={self.reply_every}")
        parts += [f"connections={self.connections}", f"server-threads={self.server_threads}", self.address]
        parts += [f"server-cpus={self.server_cpus or 'any'}", f"client-cpus={self.client_cpus or 'any'}"]
        return " ".join([*parts, f"playback={self.playback}"] if self.mode is Mode.PLAYBACK else parts)

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the workload as plain values for JSON."""
        return {name: str(v) if isinstance(v, StrEnum) else v for name, v in asdict(self).items()}


def from_dict(data: Mapping[str, Any]) -> Workload:
    """Return the workload that `data` describes; what is not said keeps its default.

    Raises `UsageError` with all unknown names and values of a wrong kind. Whether the workload makes sense
    is another question, answered by `Workload.problems`.
    """
    findings: list[Finding] = []
    values = {name: _value(name, value, findings) for name, value in data.items()}
    if findings:
        raise UsageError("this is not a workload", findings=findings)
    return Workload(**values)


_ENUMS: Final[Mapping[str, type[StrEnum]]] = {"mode": Mode, "protocol": Protocol, "multiplexer": Multiplexer}
_TEXTS: Final = ("address", "playback", "server_cpus", "client_cpus")
_OPTIONAL: Final = ("rate_mps", "playback")
_NAMES: Final = tuple(field.name for field in fields(Workload))


def _value(name: str, value: Any, findings: list[Finding]) -> Any:
    where = f"workload.{name}"
    if name not in _NAMES:
        findings.append(error(where, "is not a part of a workload", did_you_mean(name, _NAMES)))
    elif name in _ENUMS:
        return _member(_ENUMS[name], where, value, findings)
    elif value is None and name in _OPTIONAL:
        return None
    elif name in _TEXTS:
        if not isinstance(value, str):
            findings.append(error(where, f"{value!r} is not text"))
    elif isinstance(value, bool) or not isinstance(value, int):
        findings.append(error(where, f"{value!r} is not a whole number"))
    return value


def _member(kind: type[StrEnum], where: str, value: Any, findings: list[Finding]) -> Any:
    known = [member.value for member in kind]
    if value in known:
        return kind(value)
    findings.append(error(where, f"{value!r} must be one of {', '.join(known)}", did_you_mean(str(value), known)))
    return None


def _number_problems(w: Workload) -> list[Finding]:
    ranges = (
        ("message_bytes", w.message_bytes, SMALLEST_MESSAGE_BYTES, LARGEST_MESSAGE_BYTES),
        ("rate_mps", w.rate_mps, 1, 2**31 - 1),
        ("burst", w.burst, 1, 2**31 - 1),
        ("reply_every", w.reply_every, 1, 2**31 - 1),
        ("duration_s", w.duration_s, 1, LONGEST_DURATION_S),
        ("connections", w.connections, 1, MOST_CONNECTIONS),
        ("server_threads", w.server_threads, 1, MOST_CONNECTIONS),
    )
    return [
        error(f"workload.{name}", f"{value} must be from {low} to {high}")
        for name, value, low, high in ranges
        if value is not None and not low <= value <= high
    ]


def _shape_problems(w: Workload) -> list[Finding]:
    found = []
    if w.multiplexer is Multiplexer.RECVFROM and w.connections > 1:
        message = f"recvfrom waits for one socket and cannot serve {w.connections} connections"
        found.append(error("workload.multiplexer", message, "choose epoll, poll or select"))
    if w.multiplexer is Multiplexer.RECVFROM and w.server_threads > 1:
        message = f"{w.server_threads} server threads share several sockets, which recvfrom cannot"
        found.append(error("workload.server_threads", message, "choose epoll, poll or select"))
    if w.server_threads > w.connections:
        message = f"{w.server_threads} threads must not exceed the {w.connections} connections they share"
        found.append(error("workload.server_threads", message, f"use {w.connections} or fewer, or more connections"))
    return found


def _mode_problems(w: Workload) -> list[Finding]:
    found = []
    if w.mode is Mode.PLAYBACK and not w.playback:
        found.append(error("workload.playback", "playback needs a file of times and sizes", "name one"))
    if w.mode is not Mode.PLAYBACK and w.playback:
        found.append(error("workload.playback", f"{w.mode} takes no playback file", "choose mode playback"))
    if w.mode is Mode.PLAYBACK and (w.rate_mps is not None or w.burst != 1):
        found.append(error("workload.rate_mps", "a playback takes rate and bursts from its file", "leave both out"))
    if w.mode is Mode.UNDER_LOAD and w.rate_mps is not None:
        found.extend(_few_observations(w, w.rate_mps))
    return found


def _few_observations(w: Workload, rate_mps: int) -> list[Finding]:
    expected = rate_mps * max(0.0, w.duration_s - VALID_SHARE_LOST_S) / max(1, w.reply_every)
    if expected >= _OBSERVATIONS_FOR_P99:
        return []
    message = f"a reply to every {w.reply_every}. message gives about {expected:.0f} observations, too few for a p99"
    return [warning("workload.reply_every", message, "reply more often, send faster or measure longer")]


def _place_problems(w: Workload) -> list[Finding]:
    named = (("server_cpus", w.server_cpus), ("client_cpus", w.client_cpus))
    bad = [(name, text) for name, text in named if text and parse_cpus(text) is None]
    found = [error(f"workload.{name}", f"{text!r} is not a CPU list", "write 1 or 2-3 or 0,2") for name, text in bad]
    return [*found, *_address_problems(w)]


def _address_problems(w: Workload) -> list[Finding]:
    try:
        address = ipaddress.ip_address(w.address)
    except ValueError:
        return [
            error(
                "workload.address",
                f"{w.address!r} is not an IP address",
                "write the address itself: names of hosts are not looked up",
            )
        ]
    if address.is_multicast:
        return [error("workload.address", f"{w.address} is multicast", "use the server's own address")]
    return []
