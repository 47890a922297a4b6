"""Many pairs of hosts: each has its plan, prepared as if it were alone, and all must measure the same.

Everything that is in the way on any pair is told at once, before the first run.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

from tuner.errors import Finding, TunerError, UsageError, error
from tuner.hosts.pair import Pair
from tuner.profiles.library import Shelf
from tuner.session.setup import likeness, prepare
from tuner.session.setup.plan import PairPlan, Plan
from tuner.session.setup.request import Request

T = TypeVar("T")
AT_ONCE: Final = 16
"""How many pairs are looked at at the same time."""
_SAME: Final = "install the same release on all hosts, or name only pairs that have it"


@dataclass(frozen=True, slots=True)
class Placed:
    """A pair of hosts that are reached: its name, and the server's address on the measured network where somebody named it."""

    name: str
    pair: Pair
    address: str | None = None


def plan(request: Request, pairs: Sequence[Placed], shelves: Sequence[Shelf]) -> Plan:
    """Return the plan of a request for many pairs; raise `UsageError` or another `TunerError` saying everything that is in the way."""
    _check(request)
    _check_apart(pairs)
    plans = on_each(pairs, lambda each: prepare.plan(_at(request, each), each.pair, shelves))
    _check_alike(pairs, plans)
    own = tuple(PairPlan.of(each.name, found) for each, found in zip(pairs, plans, strict=True))
    return replace(plans[0], pairs=own, blocks=plans[0].blocks * len(own))


class Named(Protocol):
    """A pair of hosts with a name."""

    @property
    def name(self) -> str:
        """What it is called."""


N = TypeVar("N", bound=Named)


def with_kinds(found: Plan, facts: Mapping[str, Any]) -> Plan:
    """Return a plan that says of which class the hosts of each pair are, by what decides whether hosts are alike."""
    rows = facts.get("pairs", {})
    return replace(
        found, pairs=tuple(replace(each, kind=likeness.kind(rows.get(each.name, {}))) for each in found.pairs)
    )


def on_each(pairs: Sequence[N], work: Callable[[N], T]) -> list[T]:
    """Return what work on each pair gives, in their order; raise the errors of all pairs as one, by the name of the pair."""
    context = contextvars.copy_context()

    def done(each: N) -> T | TunerError:
        try:
            return context.copy().run(work, each)
        except TunerError as reason:
            return reason

    with ThreadPoolExecutor(min(AT_ONCE, len(pairs))) as pool:
        found = list(pool.map(done, pairs))
    failed = {each.name: one for each, one in zip(pairs, found, strict=True) if isinstance(one, TunerError)}
    if failed:
        raise together(failed, len(pairs))
    return [one for one in found if not isinstance(one, TunerError)]


def together(failed: dict[str, TunerError], count: int) -> TunerError:
    """Return one error that says what is in the way on each of the pairs that failed, of the kind of the first."""
    first = next(iter(failed.values()))
    findings = [each for name, reason in failed.items() for each in _told(name, reason)]
    return type(first)(f"{len(failed)} of {count} pairs cannot measure", findings=findings)


def _told(name: str, reason: TunerError) -> Iterator[Finding]:
    yield error(f"pair {name}", reason.message, reason.advice)
    yield from (replace(each, where=f"pair {name}: {each.where}") for each in reason.findings)


def _at(request: Request, at: Placed) -> Request:
    """Return a request with the server's address on a pair."""
    if at.address is None:
        return request
    return replace(request, task=replace(request.task, workload={**request.task.workload, "address": at.address}))


def _check(request: Request) -> None:
    """Raise `UsageError` for what cannot be asked of many pairs."""
    findings = []
    if prepare.address_in(request.task.workload):
        findings.append(error("--address", "is of one pair", 'write address = "…" into the table of each pair'))
    if request.setup.wait_for_calm_s:
        findings.append(
            error("--wait-for-calm", "holds back the blocks of one pair", "leave it out: disturbed blocks are repeated")
        )
    if findings:
        raise UsageError("this cannot be asked of many pairs", findings=findings)


def _check_apart(pairs: Sequence[Placed]) -> None:
    """Raise `UsageError` where one machine is in two pairs, whatever it is called in them."""
    networks = [(each.name, host.name, host.network()) for each in pairs for host in each.pair.hosts]
    findings = [
        error(
            f"pair {name}",
            f"{host} is the same machine as {other_host} of pair {other}",
            "let each host be in one pair",
        )
        for at, (name, host, network) in enumerate(networks)
        for other, other_host, before in networks[:at]
        if other != name and network.is_where(before)
    ]
    if findings:
        raise UsageError("pairs must not share a host: two runs at once would measure each other", findings=findings)


def _check_alike(pairs: Sequence[Placed], plans: Sequence[Plan]) -> None:
    """Raise `UsageError` where the pairs have other releases of the stack's library: they would not measure the same profiles."""
    first = plans[0]
    findings = [
        error(
            f"pair {each.name}",
            f"has release {made.release or 'unknown'}, {pairs[0].name} has {first.release or 'unknown'}",
            _SAME,
        )
        for each, made in zip(pairs, plans, strict=True)
        if made.release != first.release
    ]
    if findings:
        raise UsageError("all pairs must have the same release of the stack's library", findings=findings)
