"""`tuner minimise`: which settings of a profile have an effect?"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tuner.cli import options, session_options
from tuner.cli.ends import Ends, ends_or_pairs
from tuner.results import Results
from tuner.session.setup.request import Setup, Task


@session_options.measuring(ends_or_pairs)
def minimise(
    profile: Annotated[
        str, typer.Argument(metavar="PROFILE", help="Profile to shorten: name, stack and name, or file.")
    ],
    budget: session_options.Budget = "60s",
    baseline: session_options.Baseline = "default",
    guard: session_options.Guards = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
    *,
    where: Results,
    workload: dict[str, object],
    task: Task,
    setup: Setup,
    ends: Ends,
) -> None:
    """Remove the settings that have no effect from a profile.

    Shows how much each remaining setting contributes. Measures the profile with and without its settings in
    interleaved blocks. Exit status 0: done, also if every setting is kept; 1: nothing could be judged.

    \b
    Examples:
      tuner minimise latency
      tuner minimise results/SESSION/best.toml --objective throughput --budget 5m
    """
    from tuner import api
    from tuner.cli import work
    from tuner.session.measuring.clock import seconds

    at = work.workspace(where, ends, verbose=verbose)
    found = api.minimise(
        profile,
        baseline=baseline,
        budget_s=seconds(budget),
        task=replace(task, workload=workload, guards=guard or ()),
        setup=setup,
        at=at,
    )
    work.tell(found, at, json=json, verbose=verbose)
