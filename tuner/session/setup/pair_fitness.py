"""Whether two hosts are fit to be measured between: each of them, the way between them, and how fast it is at best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuner import stacks
from tuner.errors import TunerError, UsageError, doubt_to_json
from tuner.hosts import path, readiness
from tuner.hosts.host import Host
from tuner.hosts.links import Link
from tuner.hosts.pair import Pair
from tuner.profiles.library import Shelf
from tuner.profiles.profile import DEFAULT
from tuner.records import Kind
from tuner.results import Results
from tuner.session.setup import prepare
from tuner.session.setup.fitness import Fitness, Needs, Part, at_home, on_host
from tuner.session.setup.plan import Plan
from tuner.session.setup.request import UNLIMITED_S, Request, Task


@dataclass(frozen=True, slots=True)
class PairFitness:
    """What two hosts have of all that a session needs."""

    ends: Mapping[str, Fitness]
    """Of `server` and `client`; only `server` where both ends are on it."""
    names: Mapping[str, str]
    parts: tuple[Part, ...]
    """What is between them, and here."""
    way: Mapping[str, Any] | None
    """The way that is measured, JSON-ready; None where there is none."""

    @property
    def fit(self) -> bool:
        """Whether nothing is missing."""
        return all(each.fit for each in self.ends.values()) and all(each.ok for each in self.parts)

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        ends = {end: {"name": self.names[end], **each.to_dict()} for end, each in self.ends.items()}
        return {"ends": ends, "path": self.way, "parts": [each.to_dict() for each in self.parts], "fit": self.fit}


def pair_fitness(
    needs: Needs, workload: Mapping[str, object], pair: Pair, shelves: Sequence[Shelf], results: Results
) -> PairFitness:
    """Return what two hosts have of all that a session needs; raise `UsageError` for a stack or a profile that is not there."""
    stacks.named(needs.stack)
    rows = zip(("server", "client"), pair.hosts, strict=False)
    ends = {end: on_host(needs, host, shelves) for end, host in rows}
    names = {end: host.name for end, host in zip(("server", "client"), pair.hosts, strict=False)}
    way, parts, plan = _between(needs, workload, pair, shelves)
    if way is not None:
        ends = _with_devices(ends, pair, way, plan)
    return PairFitness(ends, names, (*parts, *at_home(results)), None if way is None else _told(way))


def _told(way: path.Path) -> Mapping[str, Any]:
    return {**way.to_dict(), "doubts": list(map(doubt_to_json, way.doubts))}


def _between(
    needs: Needs, workload: Mapping[str, object], pair: Pair, shelves: Sequence[Shelf]
) -> tuple[path.Path | None, list[Part], Plan | None]:
    """Return the way between the hosts and what became of a first run over it."""
    asked = workload.get("address")
    try:
        way = None if pair.is_one else path.between(pair, asked if isinstance(asked, str) else None)
    except UsageError as reason:
        return None, [_failed("path", reason)], None
    parts = [Part("path", ok=True, says=way.words(), advice="")] if way else []
    # Of our own benchmark, whatever is to be measured: its round trip is that of the network.
    own = {name: value for name, value in workload.items() if name == "address" or not needs.recipe}
    request = Request(
        Kind.MEASURE, DEFAULT, budget_s=UNLIMITED_S, blocks=1, task=Task("kernel", workload=own), setup=needs.setup
    )
    try:
        plan = prepare.plan(request, pair, shelves)
        run = prepare.rig(plan, pair).execute({}, plan.workloads[0])
    except TunerError as reason:
        return way, [*parts, _failed("round trip", reason)], None
    if run.measurement is None:
        return way, [*parts, Part("round trip", ok=False, says=run.reason, advice="see `tuner measure`")], plan
    trips = 2 if run.measurement.half_round_trip else 1
    metrics = run.metrics()
    low, median = (trips * metrics.get(name, 0.0) for name in ("latency_min_us", "latency_p50_us"))
    each = plan.workloads[0]
    says = f"at least {low:.1f} µs, median {median:.1f} µs ({each.protocol}, {each.message_bytes} bytes, kernel sockets, one run)"
    return way, [*parts, Part("round trip", ok=True, says=says, advice="")], plan


def _failed(name: str, reason: TunerError) -> Part:
    advice = "; ".join(filter(None, [*(each.suggestion for each in reason.findings), reason.advice]))
    return Part(name, ok=False, says=reason.message, advice=advice)


def _with_devices(ends: Mapping[str, Fitness], pair: Pair, way: path.Path, plan: Plan | None) -> dict[str, Fitness]:
    """Return the fitness of both hosts with what their measured devices are, and what disturbs there."""
    measured = {"server": plan.server_cpus if plan else (), "client": plan.client_cpus if plan else ()}
    rows: dict[str, tuple[Host, Link]] = {"server": (pair.server, way.server), "client": (pair.client, way.client)}
    return {
        end: each.with_device(
            rows[end][1], tuple(readiness.findings(*rows[end], measured[end])), readiness.boot_line(rows[end][0])
        )
        for end, each in ends.items()
    }
