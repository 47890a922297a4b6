"""`tuner check`: is this host fit to measure, and how noisy is it?"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tuner.cli import options, work
from tuner.cli.output import print_json, wrapped
from tuner.errors import TunerError

_INDENT: Final = "      "


@options.made_from_options(workload=options.workload, rig=options.rig)
def check(
    noise: Annotated[bool, typer.Option("--noise", help="Also measure how far runs of one profile differ.")] = False,
    runs: Annotated[int, typer.Option("--runs", min=4, help="With --noise: runs of the profile, in pairs.")] = 12,
    profile: Annotated[str, typer.Option("--profile", help="With --noise: what is measured.")] = "default",
    stack: Annotated[str, typer.Option("--stack", help="kernel, xlio or onload.")] = "kernel",
    objective: options.ObjectiveName = None,
    seed: options.Seed = 0,
    results: options.Results = Path("results"),
    json: options.Json = False,
    *,
    workload: dict[str, object],
    rig: dict[str, Any],
) -> None:
    """Say whether this host is fit to measure: what is missing, what makes it noisy, and what to do about it.

    With --noise one profile is measured against itself: how far runs differ, what they drift, and the smallest
    difference that a budget can detect. Exit status 0: fit, or fit with doubts; 1: something needed is missing.

    \b
    Examples:
      tuner check
      tuner check --noise --runs 20
      tuner check --stack xlio --lib /opt/xlio/lib/libxlio.so
    """
    from tuner.hosts.local import LocalHost
    from tuner.session.tools import examine

    found = examine(stack, rig["lib"], rig["sockperf"], results, LocalHost())
    fit = all(part["ok"] for part in found)
    answer: dict[str, Any] = {"fit": fit, "parts": found, "host": work.host_facts(stack)}
    if noise and fit:
        asked = {"profile": profile, "stack": stack, "objective": objective, "seed": seed, "workload": workload, **rig}
        answer["noise"] = _noise(asked, runs, results)
    if json:
        print_json(answer)
    else:
        typer.echo("\n".join(_lines(answer)))
    if not fit:
        raise TunerError("this host cannot measure yet", advice="see the lines marked with ✗")


def _noise(asked: dict[str, Any], runs: int, results: Path) -> dict[str, Any]:
    from tuner.session.prepare import UNLIMITED_S, Request

    found = work.carry_out(Request(kind="calibrate", budget_s=UNLIMITED_S, blocks=(runs + 1) // 2, **asked), results)
    if found["calibration"] is None:
        raise TunerError(f"too few runs of {found['profile']} ended well; see `tuner sessions show latest`")
    return found


def _lines(answer: dict[str, Any]) -> list[str]:
    noise = _noise_lines(answer["noise"]) if "noise" in answer else []
    return [*map(_line, answer["parts"]), *_host(answer["host"]), *noise]


def _line(part: dict[str, Any]) -> str:
    said = wrapped(f"{'✓' if part['ok'] else '✗'} {part['part']}: {part['says']}", indent=_INDENT)
    return "\n".join([said, *_advised(part["advice"])])


def _advised(advice: str) -> list[str]:
    return [wrapped(f"{_INDENT}→ {advice}", indent=_INDENT)] if advice else []


def _host(facts: dict[str, Any]) -> list[str]:
    known = [f"  {name}: {value}" for name, value in facts.items() if value is not None and name != "doubts"]
    doubts = [[wrapped(f"! {doubt['what']}"), *_advised(doubt["advice"])] for doubt in facts["doubts"]]
    return [*chain.from_iterable(doubts), "host", *known]


def _noise_lines(found: dict[str, Any]) -> list[str]:
    from tuner.session.calibrate import detectable, words
    from tuner.session.quarantine import sentence

    said = [*words(found["calibration"]), *map(detectable, found["budgets"]), sentence(found["host"])]
    return ["noise", *(f"  {line}" for line in said if line)]
