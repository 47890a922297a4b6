"""`tuner minimise`: which settings of a profile earn their place?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuner.cli import options, work
from tuner.records import Kind
from tuner.results import Results


@options.made_from_options(task=options.task, workload=options.workload, rig=options.rig)
def minimise(
    profile: Annotated[
        str, typer.Argument(metavar="PROFILE", help="Profile to shorten: name, stack and name, or file.")
    ],
    budget: Annotated[str, typer.Option("--budget", help="Wall time of the session: 90s, 10m, 1h.")] = "60s",
    baseline: Annotated[str, typer.Option("--baseline", help="Profile that the answer is compared with.")] = "default",
    results: options.Results = options.RESULTS,
    json: options.Json = False,
    *,
    workload: dict[str, object],
    task: dict[str, Any],
    rig: dict[str, Any],
) -> None:
    """Leave out of a profile what does not earn its place, and write it with what each remaining setting is worth.

    Measures the profile with and without its settings in interleaved blocks. Exit status 0: done, also when every
    setting stays; 1: nothing could be judged.

    \b
    Examples:
      tuner minimise latency
      tuner minimise results/SESSION/best.toml --objective throughput --budget 5m
    """
    from tuner.cli.screen import answered
    from tuner.session.measuring.clock import seconds
    from tuner.session.setup.prepare import Request

    request = Request(
        kind=Kind.MINIMISE,
        profile=profile,
        budget_s=seconds(budget),
        baseline=baseline,
        workload=workload,
        **task,
        **rig,
    )
    answered.tell(work.carry_out(request, Results(results)), Results(results), json=json)
