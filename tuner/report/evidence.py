"""The exact commands and environment of every run, with what is the same said once.

Ports differ from run to run; they are written `PORT` in a command and stand beside the run. Everything else is kept to
the letter.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from tuner.errors import Finding, doubt
from tuner.records import Run, Trial
from tuner.report.rows import Row
from tuner.runs import command
from tuner.runs.benchmark import Benchmark
from tuner.runs.chosen import BENCHMARK
from tuner.store.outputs import KEPT_CHARACTERS, left_out
from tuner.store.reading import whole

Items = frozenset[tuple[str, Any]]
_LIBRARY: Final = re.compile(r"^.*?\b(\w*VERSION: .+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Launched:
    """What the evidence of one run says of how it was launched, and of which versions."""

    environment: Items
    launch: Row
    line: tuple[Items, Items]
    """The launch as a key."""
    ports: str
    """As the client named them or its feed file did."""
    benchmark: tuple[str, ...]
    """Versions of the benchmark that the output names."""
    library: tuple[str, ...]
    """Those in the stack's banner."""


class Launches:
    """How runs were launched, as they are read: their evidence is parsed then. What many have in common is held once."""

    def __init__(self) -> None:
        self.found: list[Launched] = []
        self.left_out = 0
        self._same: dict[object, Any] = {}

    def take(self, run: Run) -> None:
        """Take note of the next run."""
        read = replace(run, evidence=whole(run.evidence))
        self.found.append(_launched(read, self._same))
        self.left_out += left_out([read])


def _launched(run: Run, same: dict[object, Any]) -> Launched:
    launch, (benchmark, library) = _launch(run), _versions(run)
    line = frozenset({**launch, "files": ""}.items()), frozenset(launch["files"].items())
    environment = frozenset(run.evidence.get("environment", {}).items())
    line, launch = same.setdefault(line, (line, launch))
    environment = same.setdefault(environment, environment)
    return Launched(environment, launch, line, _ports(run), same.setdefault(benchmark, benchmark), library)


def unread(characters: int) -> list[Finding]:
    """Return what to say where a session is too large for all that its programs printed to be read: so much was not."""
    if not characters:
        return []
    what = f"{characters / 1e6:.1f} MB that programs printed were not read, because it is too much at once"
    beginnings = f"of each output the first {KEPT_CHARACTERS:,} characters were, and every number is here"
    return [doubt(what, f"{beginnings}; `tuner sessions gc` drops the rest")]


def launches(trials: Sequence[Trial], runs: Sequence[Run], launched: Sequence[Launched]) -> Row:
    """Return how all runs were launched as JSON: the variables common to all, each environment and command once.

    `of_runs` holds, for each run, the index of its environment and of its command (their `number`).
    """
    common = frozenset.intersection(*(each.environment for each in launched)) if launched else frozenset()
    environments: dict[tuple[int, Items], Row] = {}
    commands: dict[tuple[Items, Items], Row] = {}
    of_runs = []
    for run, each in zip(runs, launched, strict=True):
        own = each.environment - common
        environment = {"profile": trials[run.trial].profile, "trial": run.trial, "variables": dict(sorted(own))}
        first = environments.setdefault((run.trial, own), environment | {"number": len(environments)})
        command = commands.setdefault(each.line, each.launch | {"number": len(commands)})
        of_runs.append([first["number"], command["number"]])
    named = {"common": dict(sorted(common)), "environments": [*environments.values()], "commands": [*commands.values()]}
    return named | {"of_runs": of_runs}


def _launch(run: Run) -> Row:
    evidence, given = run.evidence, run.evidence.get("ports", ())
    benchmark = _benchmark(given)
    files = {path: benchmark.file_without_ports(text, given) for path, text in evidence.get("files", {}).items()}
    sides = {side: _command(evidence.get(side, {}), given) for side in ("server", "client")}
    return {"workload": run.workload} | sides | {"files": files}


def _command(side: Mapping[str, Any], given: Sequence[int]) -> str:
    """Return one side's command as a shell line, pinned as it was."""
    named = _benchmark(given).without_ports(side.get("argv", ()), given)
    pinned = ["taskset", "-c", side["cpus"]] if side.get("cpus") else []
    return _line((*pinned, *named))


@lru_cache(maxsize=1 << 8)
def _line(words: tuple[str, ...]) -> str:
    """Return words as a shell line; without their ports, those of most runs are the same."""
    return shlex.join(words)


def _benchmark(given: Sequence[int]) -> Benchmark:
    """Return whose words a command is: a recipe's run says its ports, sockets of our own benchmark are found in its words."""
    return command if given else BENCHMARK


def _ports(run: Run) -> str:
    argv, given = run.evidence.get("client", {}).get("argv", ()), run.evidence.get("ports", ())
    return ", ".join(dict.fromkeys(_benchmark(given).ports(argv, run.evidence.get("files", {}), given)))


def _versions(run: Run) -> tuple[tuple[str, ...], tuple[str, ...]]:
    ends = [run.evidence.get(side, {}) for side in ("client", "server")]
    benchmark = [version for out in ends for version in BENCHMARK.versions(out.get("stdout", ""))]
    library = [version for out in ends for version in _LIBRARY.findall(out.get("stderr", ""))]
    return tuple(dict.fromkeys(benchmark)), tuple(dict.fromkeys(library))


def versions(launched: Iterable[Launched]) -> dict[str, list[str]]:
    """Return the versions of the benchmark, and those in the stack's banner, that the runs' own output names."""
    benchmark: dict[str, None] = {}
    library: dict[str, None] = {}
    for each in launched:
        benchmark.update(dict.fromkeys(each.benchmark))
        library.update(dict.fromkeys(each.library))
    return {"benchmark": [*benchmark], "library": [*library]}
