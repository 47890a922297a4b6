"""`tuner measure`: what one profile gives."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuner.cli import options, work
from tuner.cli.screen.output import print_json, table
from tuner.errors import TunerError
from tuner.figures import shown
from tuner.records import Kind
from tuner.results import Results


@options.made_from_options(task=options.task, workload=options.workload, rig=options.rig)
def measure(
    profile: Annotated[
        str, typer.Argument(metavar="PROFILE", help="Name (latency), stack and name (xlio/latency), or file.")
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
    from tuner.session.setup.prepare import UNLIMITED_S, Request

    request = Request(
        kind=Kind.MEASURE, profile=profile, budget_s=UNLIMITED_S, blocks=runs, workload=workload, **task, **rig
    )
    found = work.carry_out(request, Results(results))
    held = found["metrics"].get("held_rate_mps")
    if json:
        print_json(found)
    else:
        _show(found)
    if held and not held["value"]:
        raise typer.Exit(3)


def _show(found: dict[str, Any]) -> None:
    metrics = tuple(found["metrics"])
    if not metrics:
        raise TunerError(f"no run of {found['profile']} ended well; see `tuner sessions show latest`")
    if not found["metrics"].get("held_rate_mps", {"value": 1})["value"]:
        typer.echo(found["why"])
    rows = [[metric, *_cells(found["metrics"][metric])] for metric in metrics]
    typer.echo(table(["metric", "median", "low", "high", "runs"], rows))


def _cells(metric: dict[str, Any]) -> list[str]:
    return [*(shown(metric[key]) for key in ("value", "low", "high")), str(metric["runs"])]
