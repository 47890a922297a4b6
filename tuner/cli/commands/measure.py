"""`tuner measure`: what one profile gives."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuner.cli import options, work
from tuner.records import Kind
from tuner.results import Results


@options.made_from_options(task=options.task, workload=options.workload, rig=options.rig)
def measure(
    profile: Annotated[
        str, typer.Argument(metavar="PROFILE", help="Name (latency), stack and name (kernel/latency), or file.")
    ] = "default",
    runs: Annotated[int, typer.Option("--runs", min=1, help="How often, each time with fresh processes.")] = 5,
    results: options.Results = options.RESULTS,
    json: options.Json = False,
    *,
    workload: dict[str, object],
    task: dict[str, Any],
    rig: dict[str, Any],
) -> None:
    """Measure one profile several times and print each metric's median, interval and number of runs.

    With an objective such as 'max rate where p99 < 50us' each time is a search for the highest rate that holds it
    (held_rate_mps); exit status 3 where no load does.

    \b
    Examples:
      tuner measure latency
      tuner measure results/SESSION/best.toml --runs 10 --multiplexer epoll
      tuner measure latency --objective 'max rate where p99 < 50us'
    """
    from tuner.cli.screen import answered
    from tuner.session.setup.prepare import UNLIMITED_S, Request

    request = Request(
        kind=Kind.MEASURE, profile=profile, budget_s=UNLIMITED_S, blocks=runs, workload=workload, **task, **rig
    )
    answered.tell(work.carry_out(request, Results(results)), Results(results), json=json)
