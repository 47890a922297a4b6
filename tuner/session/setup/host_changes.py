"""What changed on a host between two sessions: what an update may have touched, by the facts that both stored.

What one of them does not say is unknown, and never a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tuner.records import StoredSession

_NAMES: Final[Mapping[str, str]] = {
    "hostname": "host",
    "system": "kernel",
    "nic_versions": "network cards",
    "libc": "C library",
    "microcode": "microcode",
    "bios": "BIOS",
    "cpu_model": "CPU",
    "cpus": "CPUs",
    "hypervisor": "virtual",
    "smt": "SMT",
    "turbo": "turbo",
    "governor": "governor",
    "memlock_bytes": "locked memory, bytes",
}
"""The facts of a host that stay as they are until somebody changes something, and what they are called."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A fact that was one thing and is another."""

    fact: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.fact}: {self.before} → {self.after}"


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed, and what cannot be said because only one of both knows it."""

    changed: tuple[Changed, ...]
    unknown: tuple[str, ...]


def changes(before: StoredSession, after: StoredSession) -> Changes:
    """Return what is different of the hosts, the stack's library and this program in the later of two sessions."""
    old, new = known(before), known(after)
    names = dict.fromkeys([*old, *new])
    both = [name for name in names if name in old and name in new]
    changed = tuple(Changed(name, old[name], new[name]) for name in both if old[name] != new[name])
    return Changes(changed, tuple(name for name in names if name not in both))


def known(session: StoredSession) -> dict[str, str]:
    """Return what a session knows of its hosts, its stack's library and this program, by names for people."""
    ends = session.facts.get("ends")
    found = _of_host(session.facts)
    if isinstance(ends, Mapping):
        hosts = {end: _of_host(of_end) for end, of_end in ends.items() if isinstance(of_end, Mapping)}
        found = {f"{name} of the {end}": value for end, host in hosts.items() for name, value in host.items()}
    release, ours = session.plan.get("release"), session.facts.get("tuner")
    stack = session.plan.get("stack")
    found |= {f"library of {stack}": release} if isinstance(release, str) else {}
    return found | ({"tuner": ours} if isinstance(ours, str) else {})


def _of_host(facts: Mapping[str, Any]) -> dict[str, str]:
    told = {name: facts.get(key) for key, name in _NAMES.items()}
    return {name: _word(value) for name, value in told.items() if value is not None}


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)
