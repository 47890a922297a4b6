"""`tuner tune`: search, confirm, and write the best profile."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from tuner.cli import options, session_options
from tuner.cli.ends import Ends, ends_or_pairs
from tuner.results import Results
from tuner.session.setup.request import Search, Setup, Task


@session_options.measuring(ends_or_pairs, search=session_options.search)
def tune(
    profile: Annotated[
        str | None,
        typer.Argument(
            metavar="PROFILE", help="Start from this profile; `latency` also selects the objective latency."
        ),
    ] = None,
    budget: session_options.TuningBudget = None,
    guard: session_options.Guards = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
    *,
    where: Results,
    workload: dict[str, object],
    task: Task,
    search: Search,
    setup: Setup,
    ends: Ends,
) -> None:
    """Find, confirm and write the best profile for this host.

    Measures the stack's known profiles and the optimizer's proposals in blocks with the baseline, then measures
    the best one again in new blocks. Exit status 0: improved; 3: no improvement found; 1: failed.

    \b
    Examples:
      tuner tune latency --budget 90s
      tuner tune --objective throughput --protocol udp --message-bytes 1024 --budget 10m
      tuner tune --objective 'max rate where p99 < 50us and p99.9 < 200us' --budget 10m
      tuner tune latency --server ssh://me@box2 --budget 10m
      tuner tune latency --pairs pairs.toml --budget 10m
      tuner tune latency --guard 'p99.9 < 1.1x' --guard 'cpu < 2x'
      tuner tune multi_ring_latency --stack xlio --lib /opt/xlio/lib/libxlio.so --connections 4 --multiplexer epoll
    """
    from tuner import api
    from tuner.cli import work
    from tuner.session.measuring.clock import seconds

    at = work.workspace(where, ends, verbose=verbose)
    found = api.tune(
        profile,
        budget_s=None if budget is None else seconds(budget),
        task=replace(task, workload=workload, guards=guard or ()),
        search=search,
        setup=setup,
        at=at,
    )
    work.tell(found, at, json=json, verbose=verbose)
