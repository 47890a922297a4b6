"""`tuner compare`: is one profile better than another?"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tuner.cli import options, session_options
from tuner.cli.ends import Ends, ends_or_pairs
from tuner.python.options import UNTIL
from tuner.results import Results
from tuner.session.setup.request import Setup, Task

ComparingBudget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        help="Wall time of the session: 90s, 10m, 1h; 30s where it is left out. A longer one detects smaller differences.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar=UNTIL, help="End as soon as it is decided, in place of a fixed --budget."),
]
Most = Annotated[
    str | None,
    typer.Option("--max", metavar="TIME", help="The longest that --until decided may take; 10m if left out."),
]


@session_options.measuring(ends_or_pairs)
def compare(
    a: Annotated[
        str | None, typer.Argument(metavar="A", help="Profile that the other is compared with.", show_default=False)
    ] = None,
    b: Annotated[
        str | None, typer.Argument(metavar="B", help="Profile that may be better.", show_default=False)
    ] = None,
    budget: ComparingBudget = None,
    until: Until = None,
    most: Most = None,
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
    confidence interval. Exit status 0: B is better; 3: no improvement found. With --until decided it ends as soon as one
    is shown to be better, or both to be within 1 %; the interval allows for having looked after each block. With
    --other-cmd two commands are compared in place of profiles.

    \b
    Examples:
      tuner compare default latency
      tuner compare latency results/SESSION/best.toml --budget 2m
      tuner compare default latency --until decided --max 10m
      tuner compare --client-cmd 'gzip -6 -c /etc/services' --other-cmd 'gzip -1 -c /etc/services'
    """
    from tuner import api
    from tuner.cli import work
    from tuner.python.functions import budget_of, two

    budget_s = budget_of(budget, until, most)
    first, second = two(a, b, workload.get("recipe"))
    at = work.workspace(where, ends, verbose=verbose)
    asked = replace(task, workload=workload, guards=guard or ())
    if until is None:
        found = api.compare(first, second, budget_s=budget_s, task=asked, setup=setup, at=at)
    else:
        found = api.compare_until_decided(first, second, max_s=budget_s, task=asked, setup=setup, at=at)
    work.tell(found, at, json=json, verbose=verbose)
