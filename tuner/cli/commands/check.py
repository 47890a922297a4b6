"""`tuner check`: is this host ready to measure, and how noisy is it?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tuner.cli import options, session_options
from tuner.cli.ends import Ends, connected, ends
from tuner.cli.screen.output import print_json, wrapped
from tuner.errors import TunerError
from tuner.profiles.library import shelves
from tuner.results import Results
from tuner.session.setup.request import Setup, Task

if TYPE_CHECKING:  # loaded when noise is measured
    from tuner.hosts.pair import Pair
    from tuner.session.answer.answers import CalibrateAnswer
    from tuner.session.setup.fitness import Fitness, Part
    from tuner.session.setup.pair_fitness import PairFitness

_INDENT: Final = "      "


@options.made_from_options(
    where=options.where, workload=session_options.workload, setup=session_options.setup, hosts=ends
)
def check(
    noise: Annotated[
        bool, typer.Option("--noise", help="Also measure the noise: how much runs of one profile vary.")
    ] = False,
    runs: Annotated[int, typer.Option("--runs", min=4, help="With --noise: runs of the profile, in pairs.")] = 12,
    profile: Annotated[
        str, typer.Option("--profile", help="What --noise measures, and what needs memory.")
    ] = "default",
    stack: options.StackName = "kernel",
    rings: options.Rings = 1,
    objective: options.ObjectiveName = None,
    seed: options.Seed = 0,
    json: options.Json = False,
    *,
    where: Results,
    workload: dict[str, object],
    setup: Setup,
    hosts: Ends,
) -> None:
    """Check whether this host is ready to measure.

    Shows what is missing, what makes the host noisy, and what to do about it. For xlio and vma the memory that the
    profile needs at start is compared with what this host has, for the release that the library's banner names.
    With --server or --client both hosts are checked and the way between them: devices, drivers, interrupts, idle states, boot line,
    and the round trip of a short run; nothing is changed.
    With --noise one profile is measured against itself: how far runs differ, how far they drift, and the smallest
    difference that a budget can detect. Exit status 0: ready, perhaps with warnings; 1: something needed is
    missing.

    \b
    Examples:
      tuner check
      tuner check --noise --runs 20
      tuner check --server ssh://me@box2
      tuner check --stack xlio --lib /opt/xlio/lib/libxlio.so --profile latency
    """
    from tuner.hosts.local import LocalHost
    from tuner.hosts.pair import Pair
    from tuner.session.setup.fitness import Needs, fitness

    # Not by the API, which loads the search and the database.
    needs, known = Needs(profile, stack, rings, setup, workload.get("recipe")), shelves(os.environ, Path.cwd())
    server, client = connected(hosts, LocalHost())
    pair = Pair(server, client or server)
    found: Fitness | PairFitness
    if pair.is_here:
        found = fitness(needs, server, known, where)
    else:
        from tuner.session.setup.pair_fitness import pair_fitness

        found = pair_fitness(needs, workload, pair, known, where)
    task = Task(stack, objective, workload, seed)
    measured = _measured(profile, runs, task, setup, pair, where) if noise and found.fit else None
    _tell(found, measured, json=json)


def _measured(profile: str, runs: int, task: Task, setup: Setup, pair: Pair, where: Results) -> CalibrateAnswer:
    from tuner import api
    from tuner.cli import work

    at = replace(work.workspace(where), host=pair.server, client=pair.client)
    found = api.calibrate(profile, runs=runs, task=task, setup=setup, at=at)
    if found.calibration is None:
        raise TunerError(f"too few runs of {profile} succeeded; see `tuner sessions show latest`")
    return found


def _tell(found: Fitness | PairFitness, measured: CalibrateAnswer | None, *, json: bool) -> None:
    """Print what was found, and end with exit status 1 where that does not let anybody measure."""
    if json:
        print_json(found.to_dict() | ({"noise": measured.to_dict()} if measured else {}))
        raise typer.Exit(0 if found.fit else 1)
    typer.echo("\n".join([*_lines(found), *(_told(measured) if measured else [])]))
    if not found.fit:
        raise TunerError("not ready to measure", advice="see the lines marked with ✗")


def _lines(found: Fitness | PairFitness) -> list[str]:
    from tuner.session.setup.fitness import Fitness

    if isinstance(found, Fitness):
        return [*map(_line, found.parts), *_host(found.host)]
    ends = [[f"{end} {found.names[end]}", *_lines(each), ""] for end, each in found.ends.items()]
    doubts = found.way["doubts"] if found.way else ()
    return [
        *chain.from_iterable(ends),
        "between them",
        *map(_line, found.parts),
        *chain.from_iterable(map(_doubt, doubts)),
    ]


def _told(found: CalibrateAnswer) -> list[str]:
    from tuner.cli.screen import answered

    return answered.noise(found)


def _line(part: Part) -> str:
    said = wrapped(f"{'✓' if part.ok else '✗'} {part.part}: {part.says}", indent=_INDENT)
    return "\n".join([said, *_advised(part.advice)])


def _advised(advice: str) -> list[str]:
    return [wrapped(f"{_INDENT}→ {advice}", indent=_INDENT)] if advice else []


def _host(facts: Mapping[str, Any]) -> list[str]:
    known = [f"  {name}: {_value(value)}" for name, value in facts.items() if value is not None and name != "doubts"]
    return [*chain.from_iterable(map(_doubt, facts["doubts"])), "host", *known]


def _value(value: object) -> object:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items() if each not in (None, ()))
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def _doubt(doubt: Mapping[str, str]) -> list[str]:
    return [wrapped(f"! {doubt['what']}"), *_advised(doubt["advice"])]
