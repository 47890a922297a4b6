"""What becomes of a socket under the rules of a file: the first instance for the program, the first rule for the role.

Source: XLIO's match.cpp. An instance that matches the program ends the search, also when none of its rules matches.
Whether a program's sockets are offloaded at all is asked before, when they are made: only rules for every address and
port decide then, and only where those for both ends of the protocol agree.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from tuner.conf.rules import ANY, Endpoint, Instance, Reading, Rule
from tuner.conf.words import DEFAULT_ID, DOCUMENTED_OFFLOADED, OFFLOADED

_ENDS: Final = {"tcp": ("tcp_server", "tcp_client"), "udp": ("udp_receiver", "udp_sender")}
# Roles whose socket has two known ends; the others compare the first address only.
TWO_ENDED: Final = ("tcp_client", "udp_connect")


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a socket. `ip` None is an address that no IPv4 rule can match; `port` None any that is free."""

    ip: IPv4Address | None
    port: int | None

    def __str__(self) -> str:
        return f"{self.ip or 'an IPv6 address'}:{self.port if self.port is not None else 'any'}"


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket to ask about: its program and id, its role, the address that its role is about, and the other end."""

    program: str
    role: str
    to: Address
    id: str = DEFAULT_ID
    other: Address | None = None

    @property
    def protocol(self) -> str:
        """Return `tcp` or `udp`."""
        return self.role.partition("_")[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the socket is offloaded, and by which rule; None where no rule says anything."""

    offloaded: bool
    rule: Rule | None
    instance: Instance | None

    @property
    def why(self) -> str:
        """The reason in words."""
        if self.instance is None:
            return "no application-id of the file is for this program: what no rule names is offloaded"
        if self.rule is None:
            return "no rule of its application-id matches: what no rule names is offloaded"
        return f"line {self.rule.line}: {self.rule}"


def answer(reading: Reading, socket: Socket) -> Answer:
    """Return what a reader of the file does with `socket`."""
    mine = [one for one in reading.instances if applies(one, socket.program, socket.id)]
    if (whole := _by_program(mine, socket.protocol)) is not None:
        return whole
    if not mine:
        return Answer(offloaded=True, rule=None, instance=None)
    rule = next((rule for rule in mine[0].of(socket.role) if _matches(rule, socket)), None)
    return Answer(rule is None or rule.transport != "os", rule, mine[0])


def applies(instance: Instance, program: str, id_: str) -> bool:
    """Return whether the rules of `instance` are for a program with this id."""
    named = fnmatch.fnmatchcase(program, _python_pattern(instance.program))
    return named and (id_ in {ANY, instance.id} or instance.id == ANY)


def _by_program(mine: list[Instance], protocol: str) -> Answer | None:
    """Return the answer that is given when the socket is made, before it has an address; None when it stays open."""
    for instance in mine:
        ends = [_for_all(instance, role) for role in _ENDS[protocol]]
        if all(end is not None for end in ends):
            return Answer(offloaded=False, rule=ends[0], instance=instance)
        if ends == [None, None]:
            return None
    return None


def _for_all(instance: Instance, role: str) -> Rule | None:
    """Return the rule that leaves every socket of a role to the kernel, None when some may be offloaded.

    A rule for every address and port decides, unless a narrower one before it says the contrary: then the next such one does.
    """
    narrower: set[bool] = set()
    for rule in instance.of(role):
        if rule.transport not in {"os", OFFLOADED, DOCUMENTED_OFFLOADED, ANY}:
            continue
        to_kernel = rule.transport == "os"
        if not (_is_any(rule.first) and (rule.second is None or _is_any(rule.second))):
            narrower.add(to_kernel)
        elif (not to_kernel) not in narrower:
            return rule if to_kernel else None
    return None


def _is_any(end: Endpoint) -> bool:
    return end.network is None and end.ports is None


def _matches(rule: Rule, socket: Socket) -> bool:
    if rule.transport in {"sdp", "sa"} or not _fits(rule.first, socket.to):
        return False
    # Only a role with two ends hands its second one over; without it the second half of a rule is not looked at.
    if rule.second is None or socket.other is None or socket.role not in TWO_ENDED:
        return True
    return _fits(rule.second, socket.other)


def _fits(end: Endpoint, address: Address) -> bool:
    if end.ports is not None and not _port_fits(end.ports.low, end.ports.high, address.port):
        return False
    if end.network is None:
        return True
    return address.ip is not None and (int(address.ip) ^ end.network) >> (32 - end.prefix) == 0


def _port_fits(low: int, high: int, port: int | None) -> bool:
    return low <= high if port is None else low <= port <= high


def _python_pattern(pattern: str) -> str:
    """Return a pattern of C's fnmatch as Python's reads it: a backslash makes a literal, `[^` negates as `[!` does."""
    literal = re.sub(r"\\(.)", lambda found: f"[{found[1]}]", pattern, flags=re.DOTALL)
    return literal.replace("[^", "[!")
