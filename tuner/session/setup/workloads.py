"""The workloads of a session: the objective's own, with what was asked of them, on the CPUs of the host."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tuner.errors import Finding, UsageError, error
from tuner.hosts import cpus
from tuner.hosts.pair import Pair
from tuner.hosts.path import Path as Way
from tuner.judging.objective import Objective
from tuner.profiles.profile import errors_in
from tuner.runs import workload
from tuner.runs.chosen import BENCHMARK
from tuner.runs.run import playback_text
from tuner.runs.workload import Mode, Workload
from tuner.runs.workload_checks import OF_A_RECIPE, problems
from tuner.session.setup import traffic


def workloads_of(
    goal: Objective, asked: Mapping[str, object], pair: Pair, way: Way | None = None
) -> tuple[Workload, ...]:
    """Return the objective's workloads with what was asked of them, placed on the CPUs of the hosts.

    `way` is the one between the hosts that is measured, None where both ends are on one.

    Raise `UsageError` with everything that cannot be measured or judged.
    """
    asked = _beside_recipe(asked) if "recipe" in asked else traffic.understood(asked, pair.server)
    _check_beside(goal, asked)
    if way is not None and "feed" not in asked:
        asked = {"address": way.address, **asked}
    made = [traffic.on_interfaces(_shaped(default, asked), way) for default in goal.workloads]
    there, here = pair.server.topology(), pair.client.topology()
    apart = way is not None and not pair.server.network().shares_kernel(pair.client.network())
    placed = tuple(_placed(_timed(each), there, here, apart=apart) for each in made)
    wrong = errors_in([finding for each in placed for finding in problems(each)])
    if wrong := (*wrong, *_unjudged(goal, placed)):
        raise UsageError("this workload cannot be measured", findings=dict.fromkeys(wrong))
    return placed


def _beside_recipe(asked: Mapping[str, object]) -> Mapping[str, object]:
    """Return what was asked beside a recipe; raise `UsageError` with what is for the recipe's own commands to say."""
    wrong = [
        error(f"workload.{name}", "is for the recipe's own commands to say")
        for name in asked
        if name not in OF_A_RECIPE
    ]
    if wrong:
        raise UsageError("a recipe has its own traffic", findings=wrong, advice="leave these out")
    return asked


def _check_beside(goal: Objective, asked: Mapping[str, object]) -> None:
    """Raise `UsageError` when what was asked of the workload is for the objective to say."""
    if "mode" in asked and len(goal.workloads) > 1:
        raise UsageError(
            f"objective {goal.name} measures {len(goal.workloads)} modes and takes no --mode",
            advice="choose objective latency, tail or throughput with --mode",
        )
    if goal.limits and (beside := _beside_limits(asked)):
        raise UsageError(f"objective {goal.name!r} searches for the rate itself", findings=beside)


def _beside_limits(asked: Mapping[str, object]) -> list[Finding]:
    """Return what was asked of a workload that a search over the load decides itself."""
    found = (
        [error("workload.rate_mps", f"{asked['rate_mps']} is what it finds", "leave --rate out")]
        if "rate_mps" in asked
        else []
    )
    mode = asked.get("mode", Mode.UNDER_LOAD)
    if mode != Mode.UNDER_LOAD:
        found.append(error("workload.mode", f"{mode} keeps no constant rate", "leave --mode out"))
    return found


def _shaped(default: Workload, asked: Mapping[str, object]) -> Workload:
    """Return the objective's own workload with what the user asked; another mode has nothing of its rate and replies."""
    base = default if asked.get("mode", default.mode) == default.mode else Workload()
    return workload.from_dict({**base.to_dict(), **asked})


def _timed(each: Workload) -> Workload:
    """Return a playback with its file's absolute path and the seconds that the file lasts, others as they are."""
    if each.playback is None:
        return each
    path = Path(each.playback).absolute()
    text = playback_text(path)
    try:
        lasts_s = BENCHMARK.playback_time_s(text)
    except UsageError as reason:
        raise UsageError(f"{path}: {reason.message}", findings=reason.findings) from reason
    return replace(each, playback=str(path), duration_s=max(1, math.ceil(lasts_s)))


def _placed(each: Workload, there: cpus.Topology, here: cpus.Topology, *, apart: bool) -> Workload:
    """Return the workload with CPUs chosen where the user named none: server and client on different cores."""
    busy = each.threads
    chosen = cpus.apart(there, here, *busy) if apart else cpus.placement(there, *busy)
    allowed = {"server": [cpu.number for cpu in there.cpus], "client": [cpu.number for cpu in here.cpus]}
    pinned = ",".join(filter(None, (each.sender_affinity, each.receiver_affinity)))
    named = {
        "server_cpus": each.server_cpus or chosen.server,
        "client_cpus": each.client_cpus or pinned or chosen.client,
        "sender_affinity": each.sender_affinity,
        "receiver_affinity": each.receiver_affinity,
    }
    checked = {
        name: text and cpus.cpu_list(text, allowed["server" if name == "server_cpus" else "client"], f"workload.{name}")
        for name, text in named.items()
    }
    return workload.from_dict({**each.to_dict(), **checked})


def _unjudged(goal: Objective, workloads: Sequence[Workload]) -> Iterable[Finding]:
    for term in goal.terms:
        if (
            workloads[term.workload].recipe is None
            and workloads[term.workload].mode is Mode.THROUGHPUT
            and term.metric.startswith("latency")
        ):
            message = f"objective {goal.name} judges {term.metric}, which mode throughput does not measure"
            yield error("workload.mode", message, "choose another --mode or --objective")
