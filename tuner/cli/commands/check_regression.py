"""`tuner check-regression`: is a profile still as good as it was?"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tuner.cli import options, session_options
from tuner.cli.ends import Ends, ends
from tuner.results import Results
from tuner.session.setup.request import Setup, Task


@session_options.measuring(ends)
def check_regression(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="Profile that is in use: its name or file.")],
    against: Annotated[
        str,
        typer.Option("--against", metavar="SESSION|PROFILE", help="The session that showed its gain, or a profile."),
    ],
    margin: Annotated[
        str, typer.Option("--margin", metavar="PERCENT", help="How much worse still counts as good.")
    ] = "2%",
    most: Annotated[str, typer.Option("--max", metavar="TIME", help="The longest that it may take.")] = "60s",
    json: options.Json = False,
    verbose: options.Verbose = False,
    *,
    where: Results,
    workload: dict[str, object],
    task: Task,
    setup: Setup,
    ends: Ends,
) -> None:
    """Check whether a profile is still as good as it was.

    After an update of kernel, driver, firmware or library: the profile is measured again beside the baseline of the session
    that showed its gain, under the same traffic, and must still give the lower end of what was shown, less the margin.
    Against a profile it must be no worse than that, less the margin. It ends as soon as that is decided, and lists what changed
    on the hosts since the session. Exit status 0: still good; 3: not any more; 4: not decided in --max.

    \b
    Examples:
      tuner check-regression best.toml --against 20260712-101500-tune-xlio-latency-1a2b
      tuner check-regression results/SESSION/best.toml --against latest --margin 5% --max 2m
      tuner check-regression latency --against default --objective tail --json
    """
    from tuner import api
    from tuner.cli import work
    from tuner.cli.screen import regression
    from tuner.python.options import share, span_s
    from tuner.session.regression import Gate

    gate = Gate(share(margin, "--margin"), span_s(most, "--max"))
    at = work.workspace(where, ends, verbose=verbose)
    asked = replace(task, workload=workload)
    found = api.check_regression(profile, against, gate=gate, task=asked, setup=setup, at=at)
    work.leave(regression.told(found, at.results, json=json, verbose=verbose), at)
