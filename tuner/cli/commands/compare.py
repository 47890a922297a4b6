"""`tuner compare`: is one profile better than another?"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tuner.cli import options, session_options
from tuner.cli.ends import Ends, ends
from tuner.errors import UsageError
from tuner.profiles.profile import DEFAULT
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
    a: Annotated[
        str | None, typer.Argument(metavar="A", help="Profile that the other is compared with.", show_default=False)
    ] = None,
    b: Annotated[
        str | None, typer.Argument(metavar="B", help="Profile that may be better.", show_default=False)
    ] = None,
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
    confidence interval. Exit status 0: B is better; 3: no improvement found. With --other-cmd two commands are compared
    in place of profiles.

    \b
    Examples:
      tuner compare default latency
      tuner compare latency results/SESSION/best.toml --budget 2m
      tuner compare --client-cmd 'gzip -6 -c /etc/services' --other-cmd 'gzip -1 -c /etc/services'
    """
    from tuner import api
    from tuner.cli import work
    from tuner.session.measuring.clock import seconds

    first, second = _two(a, b, workload.get("recipe"))
    at = work.workspace(where, ends, verbose=verbose)
    found = api.compare(
        first,
        second,
        budget_s=seconds(budget),
        task=replace(task, workload=workload, guards=guard or ()),
        setup=setup,
        at=at,
    )
    work.tell(found, at, json=json, verbose=verbose)


def _two(a: str | None, b: str | None, recipe: object) -> tuple[str, str]:
    """Return the profiles that are compared; of a recipe with two commands none is named."""
    if a is not None and b is not None:
        return a, b
    if a is None and getattr(recipe, "other", None):
        return DEFAULT, DEFAULT
    raise UsageError("two profiles are needed", advice="tuner compare A B; `tuner profiles list` has their names")
