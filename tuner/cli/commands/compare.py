"""`tuner compare`: is one profile better than another?"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final

import typer

from tuner.cli import options, session_options
from tuner.cli.ends import Ends, ends_or_pairs
from tuner.errors import UsageError
from tuner.profiles.profile import DEFAULT
from tuner.results import Results
from tuner.session.setup.request import Setup, Task

UNTIL: Final = "decided"
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


@options.made_from_options(
    where=options.where,
    task=session_options.task,
    workload=session_options.workload,
    setup=session_options.setup,
    ends=ends_or_pairs,
)
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

    budget_s = _budget_s(budget, until, most)
    first, second = _two(a, b, workload.get("recipe"))
    at = work.workspace(where, ends, verbose=verbose)
    asked = replace(task, workload=workload, guards=guard or ())
    if until is None:
        found = api.compare(first, second, budget_s=budget_s, task=asked, setup=setup, at=at)
    else:
        found = api.compare_until_decided(first, second, max_s=budget_s, task=asked, setup=setup, at=at)
    work.tell(found, at, json=json, verbose=verbose)


def _budget_s(budget: str | None, until: str | None, most: str | None) -> float:
    """Return the most seconds that the comparison takes; raise `UsageError` for options that contradict each other."""
    from tuner.session.measuring.clock import seconds

    if until not in {None, UNTIL}:
        raise UsageError(f"--until {until!r} is nothing to wait for", advice=f"write --until {UNTIL}")
    if until is None and most is not None:
        raise UsageError(
            "--max is the longest that --until decided may take", advice=f"add --until {UNTIL}, or use --budget"
        )
    if until is not None and budget is not None:
        raise UsageError("--until decided has no fixed --budget", advice="use --max for the longest that it may take")
    return seconds(budget or "30s") if until is None else seconds(most or "10m", "--max")


def _two(a: str | None, b: str | None, recipe: object) -> tuple[str, str]:
    """Return the profiles that are compared; of a recipe with two commands none is named."""
    if a is not None and b is not None:
        return a, b
    if a is None and getattr(recipe, "other", None):
        return DEFAULT, DEFAULT
    raise UsageError("two profiles are needed", advice="tuner compare A B; `tuner profiles list` has their names")
