"""How alike two hosts are for a measurement, and what makes two sessions ask the same: for warm starts and recommendations.

Nobody has measured how far a gain may travel from host to host; so nothing here is a number. The CPU and whether it is
virtual decide; the rest is told beside what is made of it. What a host does not say is unknown, and never a difference.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tuner.errors import StoreError
from tuner.judging.objective import Objective
from tuner.records import Kind, StoredSession
from tuner.runs.workload import Workload
from tuner.session.setup.plan import Plan

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Likeness:
    """In what two hosts are the same, in what they differ, and what one of them does not say; each in words."""

    same: tuple[str, ...]
    different: tuple[str, ...]
    unknown: tuple[str, ...]
    alike: bool
    """Whether nothing that decides differs."""

    def __str__(self) -> str:
        parts = [("same", self.same), ("different", self.different), ("unknown", self.unknown)]
        return "; ".join(f"{word}: {', '.join(found)}" for word, found in parts if found)


def likeness(there: Facts, here: Facts) -> Likeness:
    """Return how alike the hosts of a stored session and others are, by their facts; of a pair, both ends."""
    same, different, unknown, decided = list[str](), list[str](), list[str](), list[str]()
    for feature in (*_OF_A_HOST, *(_OF_A_PAIR if _server(there) or _server(here) else ())):
        theirs, ours = feature.read(there), feature.read(here)
        if theirs == ours:
            (unknown if ours is None else same).append(feature.name + (f" ({ours})" if ours else ""))
            continue
        if None in {theirs, ours}:
            unknown.append(feature.name)
        else:
            different.append(f"{feature.name} ({theirs} there, {ours} here)")
        if feature.decides and (feature.must_be_known or None not in {theirs, ours}):
            decided.append(feature.name)
    return Likeness(tuple(same), tuple(different), tuple(unknown), not decided)


def kind(facts: Facts) -> str:
    """Return of which class a pair's hosts are, in words: their CPUs, whether they are virtual, the cards between them; empty where no CPU is known."""
    cpus = dict.fromkeys(filter(None, (_cpu(_server(facts)), _cpu(facts))))
    way = _way(facts) or ""
    parts = [*cpus, _virtual(facts), "" if "None" in way else way]
    return ", ".join(filter(None, parts)) if cpus else ""


def _cpu(facts: Facts) -> str | None:
    return _text(facts.get("cpu_model"))


def _virtual(facts: Facts) -> str | None:
    found = facts.get("hypervisor")
    return {True: "virtual", False: "not virtual"}.get(found) if isinstance(found, bool) else None


def _kernel(facts: Facts) -> str | None:
    """Return the kernel's name and its first two numbers: later ones are corrections."""
    found = re.match(r"\w+ \d+\.\d+", _text(facts.get("system")) or "")
    return found.group() if found else None


def _cards(facts: Facts) -> str | None:
    found = facts.get("nic_drivers")
    return " ".join(sorted(map(str, found))) or "none" if isinstance(found, list | tuple) else None


def _count(facts: Facts) -> str | None:
    found = facts.get("cpus")
    return str(found) if isinstance(found, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _server(facts: Facts) -> Facts:
    """Return what facts say of the server's host where that is another than the client's, nothing where it is not."""
    found = _within(facts, "ends", "server")
    return found if isinstance(found, Mapping) else {}


def _hosts(facts: Facts) -> str:
    return "two" if _server(facts) else "one"


def _way(facts: Facts) -> str | None:
    """Return the card at each end of the way: its driver and its speed."""
    links = [_within(facts, "path", end) for end in ("client", "server")]
    told = [f"{each.get('driver')} {each.get('speed_mbps')}" for each in links if isinstance(each, Mapping)]
    return " to ".join(told) if len(told) == len(links) else None


def _within(facts: Facts, *names: str) -> object:
    found: object = facts
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


@dataclass(frozen=True, slots=True)
class _Feature:
    name: str
    read: Callable[[Facts], str | None]
    decides: bool = False
    must_be_known: bool = False
    """Whether it also decides where only one of them says it."""


_OF_A_HOST: Final = (
    _Feature("CPU", _cpu, decides=True, must_be_known=True),
    _Feature("machine", _virtual, decides=True),
    _Feature("kernel", _kernel),
    _Feature("CPUs", _count),
    _Feature("drivers of network cards", _cards),
)
_OF_A_PAIR: Final = (
    _Feature("hosts", _hosts, decides=True),
    _Feature("CPU of the server", lambda facts: _cpu(_server(facts)), decides=True, must_be_known=True),
    _Feature("machine of the server", lambda facts: _virtual(_server(facts)), decides=True),
    _Feature("kernel of the server", lambda facts: _kernel(_server(facts))),
    _Feature("cards on the way", _way),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a session judged: sessions that were asked the same may learn from each other."""

    kind: Kind
    stack: str
    objective: Objective
    traffic: tuple[str, ...]
    baseline: Mapping[str, str]
    """A gain is relative to its baseline: under another one the same settings have another gain."""

    @staticmethod
    def of(plan: Plan) -> Asked:
        """Return what the session of a plan judges."""
        workloads = tuple(map(traffic, plan.workloads))
        return Asked(plan.kind, plan.stack, plan.objective, workloads, dict(plan.baseline.settings))


def asked_of(row: StoredSession) -> Asked | None:
    """Return what a stored session judges, None for one whose plan cannot be read: it says nothing."""
    try:
        return Asked.of(Plan.from_dict(row.plan))
    except StoreError:
        return None


def traffic(each: Workload) -> str:
    """Return what is asked of the traffic; its CPUs, its addresses but for the loopback, and its seconds are the host's business."""
    address = "127.0.0.1" if _is_loopback(each.address) else "network"
    placed = replace(each, duration_s=1, server_cpus="", client_cpus="", sender_affinity="", receiver_affinity="")
    key = replace(placed, client_address="").key()
    return key if each.is_multicast else key.replace(each.address, address)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
