"""`tuner tune`: search, confirm, and write the best profile."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuner.cli import options, work
from tuner.records import Kind
from tuner.results import Results


@options.made_from_options(task=options.task, search=options.searching, workload=options.workload, rig=options.rig)
def tune(
    profile: Annotated[
        str | None, typer.Argument(metavar="PROFILE", help="Profile to start from; names the default objective.")
    ] = None,
    budget: Annotated[str, typer.Option("--budget", help="Wall time of the session: 90s, 10m, 1h.")] = "60s",
    results: options.Results = options.RESULTS,
    json: options.Json = False,
    *,
    workload: dict[str, object],
    task: dict[str, Any],
    search: dict[str, Any],
    rig: dict[str, Any],
) -> None:
    """Find the best profile for this host and workload, prove it, and write it.

    Measures the stack's known profiles and the optimizer's proposals in blocks with the baseline, then measures
    the best again in fresh blocks. Exit status 0: improved; 3: nothing beats the baseline; 1: failed.

    \b
    Examples:
      tuner tune latency --budget 90s
      tuner tune --objective throughput --protocol udp --message-bytes 1024 --budget 10m
      tuner tune --objective 'max rate where p99 < 50us and p99.9 < 200us' --budget 10m
      tuner tune multi_ring_latency --stack xlio --lib /opt/xlio/lib/libxlio.so --connections 4 --multiplexer epoll
    """
    from tuner.cli.screen import answered
    from tuner.session.measuring.clock import seconds
    from tuner.session.setup.prepare import Request

    request = Request(
        kind=Kind.TUNE,
        profile=profile,
        budget_s=seconds(budget),
        workload=workload,
        **task,
        **search,
        **rig,
    )
    answered.tell(work.carry_out(request, Results(results)), Results(results), json=json)
