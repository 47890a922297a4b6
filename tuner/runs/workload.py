"""What the benchmark is asked to do. Measurements of different workloads are never compared, so a workload has a key."""

from __future__ import annotations

import ipaddress
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, Self

from tuner.errors import Finding, UsageError, did_you_mean, error
from tuner.runs.recipe import BOTH_ENDS, Recipe
from tuner.runs.recipe_file import recipe_of

SMALLEST_MESSAGE_BYTES: Final = 14
LARGEST_MESSAGE_BYTES: Final = 65507
LONGEST_DURATION_S: Final = 36_000_000
MOST_CONNECTIONS: Final = 1024
"""The most sockets that `select` can wait for."""
MOST_RECEIVERS: Final = 64
"""The most receivers of a multicast group, each of which is a process of this machine."""
PLAYBACK_BYTES: Final = 1 << 26
"""The largest playback that is read."""
READY_LIMIT_S: Final = 10.0
"""The seconds after which a server will never be ready, where nothing else is known of it."""
MAX_RATE: Final = "max"
"""What somebody writes for the fastest rate that the mode can; a workload has None for it."""
VALID_SHARE_LOST_S: Final = 0.45
"""Seconds of a timed run that the benchmark leaves out of its statistics: 400 ms at the start, 50 ms at the end."""


class Mode(StrEnum):
    """How the client sends; the names are those of its subcommands, which may be given by their short names too."""

    PING_PONG = "ping-pong"
    UNDER_LOAD = "under-load"
    THROUGHPUT = "throughput"
    PLAYBACK = "playback"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        """Return the mode of a short name."""
        return cls(SHORT_MODES[value]) if isinstance(value, str) and value in SHORT_MODES else None


SHORT_MODES: Final[Mapping[str, str]] = {"pp": "ping-pong", "ul": "under-load", "tp": "throughput", "pb": "playback"}
"""The benchmark's short names of its modes."""


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
    `1` or `2-3`; empty leaves the choice to the kernel. All receivers share `server_cpus`.

    `message_bytes` is the middle of sizes that differ by up to `range_bytes`. With `full_rtt` all latencies are round
    trips, otherwise halves of them. `sender_affinity` and `receiver_affinity` pin the client's threads.

    Where `address` is a multicast group, each of `receivers` servers joins it on an interface of `mc_rx_if` (addresses
    of this machine, separated by commas: one for all, or one for each) and answers from there; the client sends on
    `mc_tx_if`. Empty leaves the interface to the kernel, `mc_ttl` None the lifetime to the benchmark.

    `feed` are connections of one's own, in the benchmark's form; they replace address, ports and count.
    `further_args` are further arguments of the benchmark.

    With a `recipe` the benchmark is that of somebody: then only the address, the CPUs and the duration count beside it, and
    `rehearsed_s` is how long a run of it took, None where that is not known.
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
    receivers: int = 1
    mc_rx_if: str = ""
    mc_tx_if: str = ""
    mc_ttl: int | None = None
    mc_loopback: bool = True
    full_rtt: bool = False
    range_bytes: int = 0
    sender_affinity: str = ""
    receiver_affinity: str = ""
    client_address: str = ""
    client_port: int | None = None
    nonblocked: bool = False
    tcp_avoid_nodelay: bool = False
    feed: tuple[str, ...] = ()
    further_args: tuple[str, ...] = ()
    recipe: Recipe | None = None
    rehearsed_s: float | None = None

    @property
    def latency_is(self) -> str:
        """Return what a latency of its measurements is, in words; empty where a recipe says it."""
        if self.recipe:
            return ""
        return "the round trip" if self.full_rtt else "half the round trip"

    @property
    def is_multicast(self) -> bool:
        """Return whether the messages go to a multicast group."""
        return is_multicast(self.address)

    def addresses(self) -> Iterator[tuple[str, str]]:
        """Yield each address of this machine that the messages use, behind the option that says it."""
        named = [("--feed", fed_address(line)) for line in self.feed] or [("--address", self.address)]
        if self.is_multicast:
            named += [("--mc-tx-if", self.mc_tx_if), *(("--mc-rx-if", each) for each in self.receiver_interfaces)]
        yield from ((option, address) for option, address in dict.fromkeys(named) if address)

    @property
    def receiver_interfaces(self) -> tuple[str, ...]:
        """Return the address of the interface of each receiver, empty text where the kernel chooses."""
        named = self.mc_rx_if.split(",")
        return tuple(named if len(named) == self.receivers else named[:1] * self.receivers)

    @property
    def needs_feed(self) -> bool:
        """Return whether both ends must read their connections from a file: several of them, threads and multiplexers need one."""
        several = self.connections > 1 or self.server_threads > 1
        return bool(self.feed) or several or self.multiplexer is not Multiplexer.RECVFROM

    @property
    def ports_needed(self) -> int:
        """Return how many free ports the server needs: one for each connection that does not name its own."""
        if self.recipe:
            return int(self.recipe.uses_port)
        return 0 if self.feed else self.connections

    @property
    def lasts_as_planned(self) -> bool:
        """Return whether it is known how long a run takes: of a client that is not told, one run says it (`rehearsed_s`)."""
        return self.recipe is None or self.recipe.is_timed or self.rehearsed_s is not None

    @property
    def client_threads(self) -> int:
        """Return how many threads of the client are busy: where replies are rare, one sends and another receives."""
        return 2 if self.mode in {Mode.UNDER_LOAD, Mode.PLAYBACK} else 1

    @property
    def threads(self) -> tuple[int, int]:
        """Return how many CPUs the server and the client keep busy."""
        if self.recipe:
            return self.recipe.server.cpus if self.recipe.server else 1, self.recipe.client.cpus
        return self.server_threads * self.receivers, self.client_threads

    @property
    def under_stack(self) -> frozenset[str]:
        """Return the ends that run under the stack's library."""
        return frozenset(end for end, each in self.recipe.ends.items() if each.stack) if self.recipe else BOTH_ENDS

    @property
    def time_limit_s(self) -> float:
        """Return the seconds after which a client hangs for sure (3.2 s of a one-second run are normal)."""
        if self.recipe and self.recipe.time_limit_s:
            return self.recipe.time_limit_s
        return 5.0 + 1.5 * self.duration_s

    @property
    def ready_limit_s(self) -> float:
        """Return the seconds after which a server will never be ready."""
        return self.recipe.ready_limit_s if self.recipe else READY_LIMIT_S

    def key(self) -> str:
        """Return the canonical text of what is measured: equal keys mean comparable measurements."""
        if self.recipe:
            return self._recipe_key(self.recipe)
        parts = [self.mode, self.protocol, f"{self.message_bytes}B", f"{self.duration_s}s", self.multiplexer]
        parts += [f"rate={self.rate_mps or 'max'}", f"burst={self.burst}"]
        if self.client_threads > 1:
            parts.append(f"reply-every={self.reply_every}")
        parts += [f"connections={self.connections}", f"server-threads={self.server_threads}", self.address]
        parts += [f"server-cpus={self.server_cpus or 'any'}", f"client-cpus={self.client_cpus or 'any'}"]
        parts += [f"playback={self.playback}"] if self.mode is Mode.PLAYBACK else []
        return " ".join([*parts, *self._further_parts()])

    def _recipe_key(self, recipe: Recipe) -> str:
        parts = [f"recipe={recipe.name}@{recipe.fingerprint[:12]}", f"{self.duration_s}s", self.address]
        parts += [f"server-cpus={self.server_cpus or 'any'}"] if recipe.server else []
        return " ".join([*parts, f"client-cpus={self.client_cpus or 'any'}"])

    def _further_parts(self) -> Iterator[str]:
        """Yield what is not as it is by default, so that keys of earlier releases stay what they were."""
        for name in _IN_KEY_WHERE_CHANGED:
            value = getattr(self, name)
            if value != _DEFAULTS[name]:
                yield f"{name.replace('_', '-')}={shlex.join(value) if isinstance(value, tuple) else value}"

    def to_dict(self) -> dict[str, object]:
        """Return the workload as plain values for JSON; what came after the first release only where it is not the default."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        plain = {name: str(v) if isinstance(v, StrEnum) else v for name, v in values.items()}
        plain |= {"recipe": self.recipe.to_dict()} if self.recipe else {}
        later = {*_IN_KEY_WHERE_CHANGED, *_WHERE_A_RECIPE_IS}
        return {name: v for name, v in plain.items() if name not in later or v != _DEFAULTS[name]}


_IN_KEY_WHERE_CHANGED: Final = (
    "receivers",
    "mc_rx_if",
    "mc_tx_if",
    "mc_ttl",
    "mc_loopback",
    "full_rtt",
    "range_bytes",
    "sender_affinity",
    "receiver_affinity",
    "client_address",
    "client_port",
    "nonblocked",
    "tcp_avoid_nodelay",
    "feed",
    "further_args",
)
_WHERE_A_RECIPE_IS: Final = ("recipe", "rehearsed_s")
_DEFAULTS: Final = {field.name: field.default for field in fields(Workload)}


def of_recipe(recipe: Recipe) -> Workload:
    """Return the workload that a recipe means where nobody asks for anything beside it."""
    return Workload(recipe=recipe, duration_s=recipe.duration_s, protocol=Protocol(recipe.protocol))


def is_multicast(address: str) -> bool:
    """Return whether `address` is that of a multicast group; what is no address is none."""
    try:
        return ipaddress.ip_address(address).is_multicast
    except ValueError:
        return False


def fed_address(line: str) -> str:
    """Return the address of a line of a feed file, which an IPv6 address has in brackets."""
    place = line[2:]
    return place[1:].partition("]")[0] if place.startswith("[") else place.partition(":")[0]


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
_TEXTS: Final = tuple(name for name, value in _DEFAULTS.items() if isinstance(value, str) and name not in _ENUMS)
_SWITCHES: Final = tuple(name for name, value in _DEFAULTS.items() if isinstance(value, bool))
_LISTS: Final = tuple(name for name, value in _DEFAULTS.items() if isinstance(value, tuple))
_OPTIONAL: Final = tuple(name for name, value in _DEFAULTS.items() if value is None)


def _value(name: str, value: Any, findings: list[Finding]) -> Any:
    where = f"workload.{name}"
    if name not in _DEFAULTS:
        findings.append(error(where, "is not a part of a workload", did_you_mean(name, _DEFAULTS)))
    elif name in _ENUMS:
        return _member(_ENUMS[name], where, value, findings)
    elif name in _LISTS:
        return _listed(where, value, findings)
    elif name == "rate_mps" and value == MAX_RATE:
        return None
    elif name == "recipe" and value is not None:
        return _recipe(where, value, findings)
    elif not (value is None and name in _OPTIONAL):
        findings.extend(_kind_problems(name, where, value))
    return value


def _kind_problems(name: str, where: str, value: Any) -> Iterator[Finding]:
    if name in _TEXTS or name == "playback":
        if not isinstance(value, str):
            yield error(where, f"{value!r} is not text")
    elif name == "rehearsed_s":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            yield error(where, f"{value!r} is not a number of seconds")
    elif name in _SWITCHES:
        if not isinstance(value, bool):
            yield error(where, f"{value!r} is not true or false")
    elif isinstance(value, bool) or not isinstance(value, int):
        yield error(where, f"{value!r} is not a whole number")


def _recipe(where: str, value: Any, findings: list[Finding]) -> Recipe | None:
    """Return a recipe as it is, or the one that a store says."""
    if isinstance(value, Recipe):
        return value
    if not isinstance(value, Mapping):
        findings.append(error(where, f"{str(value)[:40]!r} is not a recipe"))
        return None
    try:
        return recipe_of(value, where)
    except UsageError as reason:
        findings += reason.findings
        return None


def _listed(where: str, value: Any, findings: list[Finding]) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return tuple(value)
    findings.append(error(where, f"{value!r} is not a list of texts"))
    return ()


def _member(kind: type[StrEnum], where: str, value: Any, findings: list[Finding]) -> Any:
    try:
        return kind(value)
    except ValueError:
        known = [member.value for member in kind]
        findings.append(error(where, f"{value!r} must be one of {', '.join(known)}", did_you_mean(str(value), known)))
        return None
