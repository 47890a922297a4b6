"""`tuner check`: is this host fit to measure, and how noisy is it?"""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tuner import catalogue, stacks
from tuner.catalogue import facts
from tuner.catalogue.effective import effective
from tuner.cli import options, session_options
from tuner.cli.screen import memory_account
from tuner.cli.screen.output import print_json, wrapped
from tuner.errors import TunerError
from tuner.profiles.library import load, shelves
from tuner.session.setup.request import Setup, Task

if TYPE_CHECKING:  # loaded when noise is measured
    from tuner.session.answer.answers import CalibrateAnswer

_INDENT: Final = "      "


@options.made_from_options(workload=session_options.workload, setup=session_options.setup)
def check(
    noise: Annotated[bool, typer.Option("--noise", help="Also measure how far runs of one profile differ.")] = False,
    runs: Annotated[int, typer.Option("--runs", min=4, help="With --noise: runs of the profile, in pairs.")] = 12,
    profile: Annotated[
        str, typer.Option("--profile", help="What --noise measures, and what needs memory.")
    ] = "default",
    stack: options.StackName = "kernel",
    rings: options.Rings = 1,
    objective: options.ObjectiveName = None,
    seed: options.Seed = 0,
    results: options.Results = options.RESULTS,
    json: options.Json = False,
    *,
    workload: dict[str, object],
    setup: Setup,
) -> None:
    """Say whether this host is fit to measure: what is missing, what makes it noisy, and what to do about it.

    For xlio and vma the memory that the profile takes at start is held against what this host has, at the library's
    release where its banner says it. With --noise one profile is measured against itself: how far runs differ, what they drift, and the smallest
    difference that a budget can detect. Exit status 0: fit, or fit with doubts; 1: something needed is missing.

    \b
    Examples:
      tuner check
      tuner check --noise --runs 20
      tuner check --stack xlio --lib /opt/xlio/lib/libxlio.so --profile latency
    """
    answer = _examined(stack, profile, setup, rings, results)
    task = Task(stack, objective, workload, seed)
    found = _noise(profile, runs, task, setup, results) if noise and answer["fit"] else None
    if json:
        print_json(answer | ({"noise": found.to_dict()} if found else {}))
        raise typer.Exit(0 if answer["fit"] else 1)
    typer.echo("\n".join([*_lines(answer), *(_told(found) if found else [])]))
    if not answer["fit"]:
        raise TunerError("this host cannot measure yet", advice="see the lines marked with ✗")


def _examined(stack: str, profile: str, setup: Setup, rings: int, results: Path) -> dict[str, Any]:
    """Return what is needed and whether it is there, what the host is, and for xlio and vma the memory."""
    from tuner.hosts.local import LocalHost
    from tuner.session.setup.preflight import examine, host_facts

    host = LocalHost()
    parts = examine(stack, setup.lib, setup.program, results, host)
    answer: dict[str, Any] = {"parts": parts, "host": host_facts(stack, host)}
    if facts.load(stack).pools:
        answer["memory"] = _memory(profile, stack, setup.lib, rings)
        parts.append(memory_account.part(profile, answer["memory"]))
    return answer | {"fit": all(part["ok"] for part in parts)}


def _memory(profile: str, stack: str, lib: Path | None, rings: int) -> dict[str, Any]:
    """Return what a profile takes, in the release of the library where that can be asked, else in the newest."""
    from tuner.hosts.local import LocalHost
    from tuner.stacks import probe

    found = load(profile, stack, shelves(os.environ, Path.cwd()))
    host, target = LocalHost(), stacks.named(stack)
    try:
        release = probe.release(target, [probe.usable(target, lib, host)], host)
    except TunerError:  # the part of the library says so
        release = None
    known = catalogue.load(stack)
    return memory_account.account(effective(known, found.settings, release), rings, host.room())


def _noise(profile: str, runs: int, task: Task, setup: Setup, results: Path) -> CalibrateAnswer:
    from tuner import api
    from tuner.cli import work

    found = api.calibrate(profile, runs=runs, task=task, setup=setup, at=work.workspace(results))
    if found.calibration is None:
        raise TunerError(f"too few runs of {profile} ended well; see `tuner sessions show latest`")
    return found


def _lines(answer: dict[str, Any]) -> list[str]:
    return [*map(_line, answer["parts"]), *_host(answer["host"])]


def _told(found: CalibrateAnswer) -> list[str]:
    from tuner.cli.screen import answered

    return answered.noise(found)


def _line(part: dict[str, Any]) -> str:
    said = wrapped(f"{'✓' if part['ok'] else '✗'} {part['part']}: {part['says']}", indent=_INDENT)
    return "\n".join([said, *_advised(part["advice"])])


def _advised(advice: str) -> list[str]:
    return [wrapped(f"{_INDENT}→ {advice}", indent=_INDENT)] if advice else []


def _host(facts: dict[str, Any]) -> list[str]:
    known = [f"  {name}: {value}" for name, value in facts.items() if value is not None and name != "doubts"]
    doubts = [[wrapped(f"! {doubt['what']}"), *_advised(doubt["advice"])] for doubt in facts["doubts"]]
    return [*chain.from_iterable(doubts), "host", *known]
