"""Whether a host is fit to measure: each thing that a session needs there, what the host is, and the memory of a profile."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tuner import catalogue, stacks
from tuner.catalogue.effective import effective
from tuner.errors import Finding, MissingTool, StoreError, TunerError, doubt_to_json
from tuner.hosts import cpus
from tuner.hosts.host import Host
from tuner.hosts.links import Link
from tuner.profiles.library import Shelf, load
from tuner.results import Results
from tuner.runs import chosen, command
from tuner.runs.chosen import BENCHMARK
from tuner.runs.recipe import Recipe
from tuner.runs.workload import Workload
from tuner.session.setup.memory_account import account
from tuner.session.setup.preflight import card, hangs, host_facts, program
from tuner.session.setup.request import Setup
from tuner.stacks import probe
from tuner.stacks.preloads import faststart_library
from tuner.stacks.stack import Stack


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a session needs."""

    part: str
    ok: bool
    says: str
    """What was found, or what is wrong."""
    advice: str
    """What to do, empty where nothing is."""

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Fitness:
    """What a host has of all that a session needs.

    >>> found = tuner.check("latency", lib="/opt/missing.so")
    >>> found.fit, [each.part for each in found.parts if not each.ok]
    (False, ['library of kernel'])
    """

    parts: tuple[Part, ...]
    host: Mapping[str, Any]
    """What the host is and the reasons to distrust it, JSON-ready."""
    memory: Mapping[str, Any] | None
    """What the profile takes at start beside what the host has, JSON-ready; None for a stack without pools of its own."""

    def with_device(self, link: Link, doubts: Sequence[Finding], boot_line: str | None) -> Fitness:
        """Return it with the measured device, and what more is to be known of the host."""
        told = [*self.host["doubts"], *map(doubt_to_json, doubts)]
        return replace(self, host={**self.host, "boot_line": boot_line, "device": asdict(link), "doubts": told})

    @property
    def fit(self) -> bool:
        """Whether nothing is missing."""
        return all(each.ok for each in self.parts)

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        memory = {} if self.memory is None else {"memory": self.memory}
        return {"parts": [each.to_dict() for each in self.parts], "host": self.host, **memory, "fit": self.fit}


@dataclass(frozen=True, slots=True)
class Needs:
    """Whose fitness is asked for: a profile of a stack, and how many rings the program will have."""

    profile: str
    stack: str
    rings: int
    setup: Setup
    recipe: object = None
    """The recipe that is to be measured, None for our own benchmark."""

    @property
    def workload(self) -> Workload:
        """The workload that is to be measured."""
        return Workload(recipe=self.recipe) if isinstance(self.recipe, Recipe) else Workload()


def fitness(needs: Needs, host: Host, shelves: Sequence[Shelf], results: Results) -> Fitness:
    """Return what a host has of all that a session needs; raise `UsageError` for a stack or a profile that is not there."""
    found = on_host(needs, host, shelves)
    placed = _part("CPUs", lambda: _cpus_found(cpus.placement(host.topology(), *needs.workload.threads)))
    return replace(found, parts=(*found.parts, placed, *at_home(results)))


def on_host(needs: Needs, host: Host, shelves: Sequence[Shelf]) -> Fitness:
    """Return what one of the hosts of a session has of what it needs there."""
    stack = stacks.named(needs.stack)
    parts = _parts(stack, needs, host)
    release = _release(needs, stack, host) if stack.facts.pools else None
    memory = _memory(needs, stack, host, shelves, release) if stack.facts.pools else None
    if memory is not None:
        parts = (*parts, _of_memory(needs.profile, memory))
    found = host_facts(stack.name, host)
    hanging = hangs(stack.name, release, str(found["system"]))
    return Fitness(parts, found | {"doubts": [*found["doubts"], *map(doubt_to_json, hanging)]}, memory)


def at_home(results: Results) -> tuple[Part, ...]:
    """Return what a session needs on this machine: where its results go."""
    needed: dict[str, Callable[[], str]] = {"results": lambda: _writable(results.folder)}
    if results.store:
        needed["store"] = lambda: _store(results)
    return tuple(_part(name, look) for name, look in needed.items())


def _parts(stack: Stack, needs: Needs, host: Host) -> tuple[Part, ...]:
    setup = needs.setup
    needed = {
        **_benchmark(needs, host),
        f"library of {stack.name}": lambda: _loads(stack, setup.lib, host),
        **({f"card for {stack.name}": lambda: card(stack.name, host)} if stack.facts.pools else {}),
        **({} if needs.recipe else {"fast start": lambda: str(host.brought(faststart_library()))}),
    }
    return tuple(_part(name, look) for name, look in needed.items())


def _benchmark(needs: Needs, host: Host) -> dict[str, Callable[[], str]]:
    """Return the programs that are measured with, each with how it is looked up."""
    if not isinstance(needs.recipe, Recipe):
        return {BENCHMARK.name: lambda: program(needs.setup.program, host, ())[0]}
    wanted = chosen.of(needs.workload).programs(needs.workload, "")
    return {
        f"{needs.recipe.name}: {program}": lambda program=program: _installed(program, host)  # type: ignore[misc]
        for programs in wanted.values()
        for program in programs
    }


def _installed(program: str, host: Host) -> str:
    if (path := host.which(program)) is None:
        raise MissingTool(f"there is no program {program!r}", advice=command.install)
    return path


def _part(name: str, look: Callable[[], str]) -> Part:
    try:
        return Part(name, ok=True, says=look(), advice="")
    except TunerError as reason:
        return Part(name, ok=False, says=reason.message, advice=reason.advice)


def _release(needs: Needs, stack: Stack, host: Host) -> str | None:
    """Return the release of the library, None where it cannot be asked."""
    try:
        return probe.release(stack, [probe.usable(stack, needs.setup.lib, host)], host)
    except TunerError:  # the part of the library says so
        return None


def _memory(needs: Needs, stack: Stack, host: Host, shelves: Sequence[Shelf], release: str | None) -> dict[str, object]:
    """Return what a profile takes, in a release of the library, the newest where it is not known."""
    found = load(needs.profile, stack.name, shelves)
    return account(effective(catalogue.load(stack.name), found.settings, release), needs.rings, host.room())


def _of_memory(profile: str, account: Mapping[str, Any]) -> Part:
    """Return an account as a part: what is wrong, or the sum."""
    advice = [each["suggestion"] for each in account["findings"] if each["suggestion"]]
    said = [each["message"] for each in account["findings"]]
    # What cannot start has the sum in its message.
    says = [*said, *(account["lines"] if account["starts"] else account["lines"][-1:])]
    name = f"memory of {profile} in {account['version']}"
    return Part(name, account["starts"], "; ".join(says), "; ".join(dict.fromkeys(advice)))


def _loads(stack: Stack, lib: Path | None, host: Host) -> str:
    """Return what the stack's library says of itself when a harmless program runs under it."""
    library = probe.usable(stack, lib, host)
    proof = probe.proof(stack, [library], {}, host)
    if not proof.loaded:
        raise MissingTool(f"{library} does not work: {proof.reason}", advice=stack.advice)
    return f"{library}, {proof.banner.tag} {proof.banner.release}"


def _cpus_found(placed: cpus.Placement) -> str:
    note = f" ({placed.note})" if placed.note else ""
    return f"server on {placed.server}, client on {placed.client}{note}"


def _store(results: Results) -> str:
    """Return where the sessions of many hosts are, and how many there are."""
    from tuner.store import Store  # loaded only where one is named

    store = Store.reading(results)
    return f"{store.where}: {len(store.ids())} sessions"


def _writable(results: Path) -> str:
    existing = next(path for path in (results.absolute(), *results.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise StoreError(f"{existing} cannot be written", advice="name another folder with --results DIR")
    return str(results)
