"""One run of a recipe before its session: whether it runs at all and reports what it says, and how long that takes.

What is wrong is told on one screen with its place in the recipe, before a budget is spent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tuner.errors import Finding, UsageError, error
from tuner.hosts.pair import BEFORE, PORT_TAKEN, WARM_UP
from tuner.records import Run, Status
from tuner.runs.recipe import Recipe
from tuner.runs.run import LACKING, Rig
from tuner.runs.workload import Workload
from tuner.session.setup.plan import Plan

_TOLD: Final = 300
_BY_HAND: Final = "start it by hand to see why; it must end by itself"
_PLACES: Final = {
    f"({BEFORE})": ("server.prepare", _BY_HAND),
    f"({WARM_UP})": ("client.warm_up", _BY_HAND),
    PORT_TAKEN: ("server.command", "write {port} for its port: a free one is found for each run"),
    "not ready": (
        "server.ready",
        "say what it prints, or ready_port = true; or give it more time with ready_limit_s",
    ),
}
"""Which part of a recipe is meant where a reason has some words, and what to do; the first that is there."""


def rehearsed(plan: Plan, rig: Rig) -> Plan:
    """Return a plan whose workloads know how long their runs take; as it is where none has a recipe.

    Raise `UsageError` with everything that keeps a run of the baseline from being one.
    """
    return replace(plan, workloads=tuple(_rehearsed(plan, rig, index) for index in range(len(plan.workloads))))


def _rehearsed(plan: Plan, rig: Rig, index: int) -> Workload:
    workload = plan.workloads[index]
    if workload.recipe is None:
        return workload
    run = rig.execute(plan.baseline.settings, workload, index)
    if wrong := [*_wrong(run, workload.recipe), *_unjudged(run, plan, index)]:
        what = f"a run of recipe {workload.recipe.name} under {plan.baseline.profile} gave nothing that can be judged"
        raise UsageError(what, findings=wrong, advice="docs/workloads.md says what a recipe may ask for")
    return replace(workload, rehearsed_s=round(run.wall_s, 3))


def _wrong(run: Run, recipe: Recipe) -> Iterator[Finding]:
    """Yield why a run is not ok, each with its place in the recipe."""
    if run.status is Status.OK:
        return
    lacking = run.evidence.get(LACKING, ())
    yield from (error(each["where"], each["message"], each["suggestion"]) for each in lacking)
    if not lacking:
        where, advice = place(run)
        yield error(f"{recipe.name}: {where}", told(run.reason), advice)


def told(reason: str) -> str:
    """Return a reason on one line, and not a long one: a program's last words are what counts."""
    reason = " / ".join(filter(None, map(str.strip, reason.splitlines())))
    return reason if len(reason) <= _TOLD else f"{reason[: _TOLD // 4]} … {reason[-_TOLD:]}"


def place(run: Run) -> tuple[str, str]:
    """Return which part of a recipe a reason is about, and what to do."""
    if run.status is Status.NOT_LOADED:
        end = run.reason.partition(":")[0]
        return (
            f"{end}.stack",
            f"write stack = false in [{end}] where it is not to run under the library; a static program cannot",
        )
    if found := next((known for sign, known in _PLACES.items() if sign in run.reason), None):
        return found
    if run.reason.startswith("the server"):
        return "server.command", "start it by hand to see why"
    if run.status is Status.TIMEOUT:
        return "time_limit_s", "make the client do less, or give it more time"
    return "client.command", ""


def _unjudged(run: Run, plan: Plan, index: int) -> Iterator[Finding]:
    """Yield what the objective judges and a run that is ok reports as 0, of which there is no ratio."""
    metrics = run.metrics()
    for name in plan.objective.metrics_of(index) if run.status is Status.OK else ():
        if metrics.get(name, 0.0) <= 0.0:
            said = f"is {metrics[name]:g}" if name in metrics else "was not made: too few samples"
            yield error(f"metrics.{name}", f"{said}, and an objective compares ratios", "judge another metric")
