"""`tuner measure`: what one profile gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tuner.cli import options, session_options
from tuner.cli.ends import Ends, ends_or_pairs
from tuner.results import Results
from tuner.session.setup.request import Setup, Task


@session_options.measuring(ends_or_pairs)
def measure(
    profile: Annotated[
        str, typer.Argument(metavar="PROFILE", help="Name (latency), stack and name (kernel/latency), or file.")
    ] = "default",
    runs: Annotated[int, typer.Option("--runs", min=1, help="Number of runs, each with new processes.")] = 5,
    json: options.Json = False,
    verbose: options.Verbose = False,
    *,
    where: Results,
    workload: dict[str, object],
    task: Task,
    setup: Setup,
    ends: Ends,
) -> None:
    """Measure one profile several times.

    Prints each metric's median, confidence interval and number of runs. With an objective such as 'max rate where
    p99 < 50us', each measurement is a search for the highest rate that meets it (held_rate_mps); exit status 3 if
    no rate does.

    \b
    Examples:
      tuner measure latency
      tuner measure latency --server ssh://box1 --client ssh://box2 --address 10.0.0.1
      tuner measure results/SESSION/best.toml --runs 10 --multiplexer epoll
      tuner measure latency --objective 'max rate where p99 < 50us'
    """
    from tuner import api
    from tuner.cli import work

    at = work.workspace(where, ends, verbose=verbose)
    found = api.measure(profile, runs=runs, task=replace(task, workload=workload), setup=setup, at=at)
    work.tell(found, at, json=json, verbose=verbose)
