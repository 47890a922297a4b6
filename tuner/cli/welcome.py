"""What `tuner` alone says: the three things to do next, here and now."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuner.records import State
from tuner.results import Results
from tuner.runs.chosen import BENCHMARK

STEPS: Final = 3


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do: what to type, and what it gives."""

    command: str
    why: str


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest session of a folder: its state, and the profile that it wrote, None where it wrote none."""

    session: str
    state: State
    best: Path | None


def text(results: Results, commands: Collection[str]) -> str:
    """Return the three next steps, chosen by what is installed and by the newest session in `results`."""
    chosen = [
        step for step in steps(shutil.which(BENCHMARK.name) is not None, latest(results)) if _known(step, commands)
    ]
    longest = max(len(step.command) for step in chosen[:STEPS])
    rows = [f"  {step.command:<{longest}}  {step.why}" for step in chosen[:STEPS]]
    return "\n".join(["Next:", *rows, "", "All commands: tuner --help"])


def steps(measures: bool, found: Latest | None) -> list[Step]:
    """Return what can be done next, the most useful first."""
    if not measures:
        return [Step(f"sudo apt-get install {BENCHMARK.name}", "installs the benchmark; Fedora: dnf"), *_BEGIN]
    if found is None:
        return list(_BEGIN)
    if found.state in {State.RUNNING, State.STOPPED} and found.best is None:
        on = Step("tuner sessions resume latest", f"continue {found.session}, unless it is still running")
        return [on, Step("tuner sessions show latest", "what it measured so far"), *_BEGIN]
    if found.best is None:
        return [Step("tuner sessions show latest", "what the last session measured"), *_BEGIN[1:]]
    best = shlex.quote(str(found.best))
    return [
        Step("tuner report latest", "the last session as a page"),
        Step(f"tuner export {best} --to env", "the winner as variables to deploy"),
        Step("tuner sessions show latest", "the last session's answer"),
        Step(f"tuner compare default {best}", "is the winner still better?"),
        Step(f"tuner minimise {best}", "which of its settings matter?"),
    ]


_BEGIN: Final = (
    Step("tuner check", "is this host ready to measure?"),
    Step("tuner tune latency --budget 90s", "find the best profile and confirm it"),
    Step("tuner profiles list", "the profiles that are known"),
    Step("tuner params list", "the variables of a stack, and what they do"),
)


def latest(results: Results) -> Latest | None:
    """Return the newest session of a results folder, None where there is none or it cannot be read."""
    listed = results.listed()
    if not listed:
        return None
    newest = listed[-1]
    best = results.best(newest.id)
    return Latest(newest.id, newest.state, best if best.is_file() else None)


def _known(step: Step, commands: Collection[str]) -> bool:
    words = step.command.split()
    return words[0] != "tuner" or words[1] in commands
