"""`tuner compare`: is one profile better than another?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuner.cli import options, work
from tuner.records import Kind
from tuner.results import Results


@options.made_from_options(task=options.task, workload=options.workload, rig=options.rig)
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="Profile that the other is compared with.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Profile that may be better.")],
    budget: Annotated[str, typer.Option("--budget", help="Wall time: 30s, 10m.")] = "30s",
    results: options.Results = options.RESULTS,
    json: options.Json = False,
    *,
    workload: dict[str, object],
    task: dict[str, Any],
    rig: dict[str, Any],
) -> None:
    """Measure two profiles in interleaved blocks and say how many times better B is than A, with its interval.

    Exit status 0: B is better; 3: it is not.

    \b
    Examples:
      tuner compare default latency
      tuner compare latency results/SESSION/best.toml --budget 2m
    """
    from tuner.cli.screen import answered
    from tuner.session.measuring.clock import seconds
    from tuner.session.setup.prepare import Request

    request = Request(
        kind=Kind.COMPARE,
        profile=a,
        other=b,
        budget_s=seconds(budget),
        workload=workload,
        **task,
        **rig,
    )
    answered.tell(work.carry_out(request, Results(results)), Results(results), json=json)
