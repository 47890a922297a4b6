"""`tuner tune`: search, confirm, and write the best profile."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuner.cli import options, work
from tuner.cli.commands import minimise
from tuner.cli.screen.output import print_json, verdict, wrapped
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
    folder = Results(results)
    answer(work.carry_out(request, folder), folder, json=json)


def answer(found: dict[str, Any], results: Results, *, json: bool) -> None:
    """Print what a tuning found and leave with its exit status."""
    if json:
        print_json(found)
    else:
        typer.echo("\n".join(_screen(found, results)))
    raise typer.Exit({"improved": 0, "not improved": 3}.get(found["verdict"], 1))


def _screen(found: dict[str, Any], results: Results) -> list[str]:
    from tuner.measure.chosen import BENCHMARK
    from tuner.session.phases.calibrate import words

    baseline, winner = found["baseline"], found["winner"]
    shown = [baseline] if winner["profile"] == baseline["profile"] else [baseline, winner]
    lines = [verdict(found, *shown), ""]
    if winner["path"]:
        lines += _settings(found)
        lines += ["", f"profile  {winner['path']}"]
    lines += [wrapped(f"doubt    {doubt['what']} ({doubt['advice']})") for doubt in found.get("doubts", ())]
    lines.append(f"summary  {results.summary(found['session'])}")
    if found.get("calibration"):
        lines += [wrapped(f"noise    {line}") for line in words(found["calibration"])[-1:]]
    spent = found["time"]
    share = 100 * spent["runs_s"] / spent["wall_s"]
    within = f"{share:.0f} % of it inside {found['runs']} runs of {BENCHMARK.name}"
    lines.append(wrapped(f"spent    {spent['wall_s']:.1f} s, {within}"))
    return lines


def _settings(found: dict[str, Any]) -> list[str]:
    if found.get("minimised"):
        return minimise.worths(found["minimised"])[1:]
    return [f"  {name}={value}" for name, value in found["winner"]["settings"].items()]
