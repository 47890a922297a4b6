"""`tuner compare`: is one profile better than another?"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tuner.cli import options, session_options
from tuner.cli.ends import Ends, ends
from tuner.results import Results
from tuner.session.setup.request import Setup, Task


@options.made_from_options(
    where=options.where,
    task=session_options.task,
    workload=session_options.workload,
    setup=session_options.setup,
    ends=ends,
)
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="Profile that the other is compared with.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Profile that may be better.")],
    budget: session_options.Budget = "30s",
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
    """Measure whether one profile is better than another.

    Both are measured in interleaved blocks. The answer says how many times better B is than A, with a 95 %
    confidence interval. Exit status 0: B is better; 3: no improvement found.

    \b
    Examples:
      tuner compare default latency
      tuner compare latency results/SESSION/best.toml --budget 2m
    """
    from tuner import api
    from tuner.cli import work
    from tuner.session.measuring.clock import seconds

    at = work.workspace(where, ends, verbose=verbose)
    found = api.compare(
        a, b, budget_s=seconds(budget), task=replace(task, workload=workload, guards=guard or ()), setup=setup, at=at
    )
    work.tell(found, at, json=json, verbose=verbose)
