"""Which guards a request has, and whether its session can say anything of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuner.errors import Finding, UsageError, error
from tuner.judging import guards
from tuner.judging.guards import Guard
from tuner.judging.objective import Objective
from tuner.records import Kind
from tuner.runs.workload import Mode, Workload
from tuner.session.setup.request import Request


def guards_of(request: Request, objective: Objective, workloads: Sequence[Workload]) -> tuple[Guard, ...]:
    """Return the guards of a request; raise `UsageError` where one is not understood or nothing could show that it is kept."""
    found = (*objective.kept, *guards.parse(request.task.guards, workloads))
    if found and request.kind in {Kind.MEASURE, Kind.CALIBRATE}:
        raise UsageError(
            "a guard has no effect here: nothing is recommended", advice="leave it out, or use tuner compare"
        )
    findings = [problem for guard in found for problem in _problems(guard, objective, workloads)]
    if findings:
        raise UsageError("a guard cannot be judged in this session", findings=findings)
    return found


def _problems(guard: Guard, objective: Objective, workloads: Sequence[Workload]) -> Iterator[Finding]:
    if workloads[0].recipe:
        return
    of_load = guard.metric.startswith("latency") or guard.metric == "rate_mps"
    if objective.limits and of_load:
        why = (
            "each profile is measured at the highest rate that it holds, so that its latency is the objective's matter"
        )
        yield error(str(guard), why, f"add it to the objective, in µs: {objective.name} and {guard.name} < …")
    elif guard.metric.startswith("latency") and workloads[0].mode is Mode.THROUGHPUT:
        yield error(
            str(guard), "this workload measures no latency", "guard rate, cpu or memory, or use --objective balanced"
        )
