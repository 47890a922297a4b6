"""The exact commands and environment of every run, with what is the same said once.

Ports differ from run to run; they are written `PORT` in a command and stand beside the run. Everything else is kept to
the letter.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tuner.records import Run, Trial
from tuner.report.rows import Row
from tuner.runs import command
from tuner.runs.benchmark import Benchmark
from tuner.runs.chosen import BENCHMARK

Items = frozenset[tuple[str, Any]]
_LIBRARY: Final = re.compile(r"^.*?\b(\w*VERSION: .+?)\s*$", re.MULTILINE)


def launches(trials: Sequence[Trial], runs: Sequence[Run]) -> Row:
    """Return how all runs were launched as JSON: the variables common to all, each environment and command once.

    `of_runs` holds, for each run, the index of its environment and of its command (their `number`).
    """
    common = _common([run.evidence.get("environment", {}) for run in runs])
    environments: dict[tuple[int, Items], Row] = {}
    commands: dict[tuple[Items, Items], Row] = {}
    of_runs = []
    for run in runs:
        own = {name: value for name, value in run.evidence.get("environment", {}).items() if name not in common}
        launch = _launch(run)
        key = run.trial, frozenset(own.items())
        line = frozenset({**launch, "files": ""}.items()), frozenset(launch["files"].items())
        environment = {"profile": trials[run.trial].profile, "trial": run.trial, "variables": own}
        first = environments.setdefault(key, environment | {"number": len(environments)})
        command = commands.setdefault(line, launch | {"number": len(commands)})
        of_runs.append([first["number"], command["number"]])
    named = {"common": common, "environments": [*environments.values()], "commands": [*commands.values()]}
    return named | {"of_runs": of_runs}


def _common(environments: Sequence[Mapping[str, str]]) -> dict[str, str]:
    if not environments:
        return {}
    shared = set(environments[0].items()).intersection(*(each.items() for each in environments))
    return dict(sorted(shared))


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
    return shlex.join([*pinned, *named])


def _benchmark(given: Sequence[int]) -> Benchmark:
    """Return whose words a command is: a recipe's run says its ports, sockets of our own benchmark are found in its words."""
    return command if given else BENCHMARK


def ports(run: Run) -> str:
    """Return the ports of a run, as its client named them or its feed file did."""
    argv, given = run.evidence.get("client", {}).get("argv", ()), run.evidence.get("ports", ())
    return ", ".join(dict.fromkeys(_benchmark(given).ports(argv, run.evidence.get("files", {}), given)))


def versions(runs: Iterable[Run]) -> dict[str, list[str]]:
    """Return the versions of the benchmark, and those in the stack's banner, that the runs' own output names."""
    benchmark: dict[str, None] = {}
    library: dict[str, None] = {}
    for run in runs:
        for out in (run.evidence.get(side, {}) for side in ("client", "server")):
            benchmark.update(dict.fromkeys(BENCHMARK.versions(out.get("stdout", ""))))
            library.update(dict.fromkeys(_LIBRARY.findall(out.get("stderr", ""))))
    return {"benchmark": [*benchmark], "library": [*library]}
