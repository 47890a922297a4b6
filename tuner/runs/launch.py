"""How a stack is put under the benchmark, beside its settings: preloaded or opened by that itself, its rule file, its counters."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tuner.catalogue import facts
from tuner.catalogue.facts import Facts
from tuner.errors import Finding, error
from tuner.runs.benchmark import Benchmark, Features
from tuner.runs.recipe import BOTH_ENDS
from tuner.stacks import counters, offload
from tuner.stacks.counters import Counts

if TYPE_CHECKING:
    from tuner.hosts.pair import RunOutput

# More sockets than a workload opens; libraries keep counts of 0 by default since 3.30.3, and then write an empty file.
SOCKETS_COUNTED: Final = 100
# Both are equally long, so that the environments of both ends are.
_STATS: Final[Mapping[str, str]] = {"server": "server.stats", "client": "client.stats"}


class Loading(StrEnum):
    """How the stack's library comes into the process: the loader preloads it, or the benchmark opens it with dlopen."""

    PRELOAD = "preload"
    DLOPEN = "dlopen"


@dataclass(frozen=True, slots=True)
class Launch:
    """How the runs of a plan are launched; `conf` is the path of the rule file, None for the stack's own."""

    loading: Loading = Loading.PRELOAD
    conf: str | None = None

    def preloads(self, libraries: Sequence[Path]) -> tuple[Path, ...]:
        """Return what the loader preloads of `libraries`, of which the stack's is the first."""
        return tuple(libraries[1:] if self.loading is Loading.DLOPEN else libraries)

    def arguments(self, stack: str, libraries: Sequence[Path]) -> tuple[str, ...]:
        """Return what the benchmark is told besides its workload."""
        return (f"{facts.load(stack).load_option}={libraries[0].absolute()}",) if self.loading is Loading.DLOPEN else ()

    def variables(self, stack: str, settings: Mapping[str, str]) -> dict[str, str]:
        """Return `settings` with what the launch adds: the rule file, and a file for the counters where none is set."""
        told = facts.load(stack)
        added = {told.rule_file: self.conf} if self.conf and told.rule_file else {}
        return {**_kept_counts(told), **settings, **added}


def _kept_counts(told: Facts) -> dict[str, str]:
    """Return the variables with which the library keeps and writes counts of the sockets of a run."""
    written = {told.statistics: _STATS["client"]} if told.statistics else {}
    kept = {told.statistics_sockets: str(SOCKETS_COUNTED)} if told.statistics_sockets else {}
    return written | kept


def at(end: str, stack: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of one end, `server` or `client`: each writes its counters to a file of its own."""
    variable = facts.load(stack).statistics
    ours = environment.get(variable) in _STATS.values()
    return {**environment, variable: _STATS[end]} if ours else dict(environment)


def wanted(stack: str) -> tuple[str, ...]:
    """Return the files that a run may leave in its folder and that are read."""
    return tuple(_STATS.values()) if facts.load(stack).statistics else ()


def counts(output: RunOutput) -> dict[str, Counts]:
    """Return what was counted at each end that wrote its file; a server beside the first is `server 2` and so on."""
    first = {end: output.written[name] for end, name in _STATS.items() if name in output.written}
    further = {
        f"server {number}": written[_STATS["server"]]
        for number, written in enumerate(output.further_written, start=2)
        if _STATS["server"] in written
    }
    return {end: counters.read(text) for end, text in (first | further).items()}


def unproven(stack: str, output: RunOutput, under_stack: Container[str] = BOTH_ENDS) -> str:
    """Return why nothing shows that a run's packets were the stack's; empty where that is shown, or it counts nothing.

    `under_stack` are the ends that run under its library.
    """
    shows = "client" if "client" in under_stack else "server"
    return offload.unproven(counts(output), shows) if facts.load(stack).statistics else ""


def evidence(stack: str, output: RunOutput) -> dict[str, object]:
    """Return what the counters of a run say, as JSON-ready evidence; empty where no file was written."""
    read = counts(output)
    found = [asdict(finding) for end, each in read.items() for finding in counters.findings(each, end, stack)]
    return {"counters": {end: dict(each.values) for end, each in read.items()}, "findings": found} if read else {}


def unsupported(loading: Loading, stack: str, benchmark: Benchmark, able: Features) -> list[Finding]:
    """Return why the benchmark cannot open the library of `stack` itself, nothing when it can or need not."""
    if loading is Loading.PRELOAD:
        return []
    told = facts.load(stack)
    if not able.version:
        return [
            error("--load dlopen", "the programs of a recipe open no library themselves", "leave it to --load preload")
        ]
    if not told.load_option:
        able_to = " and ".join(each.name for each in facts.every() if each.load_option)
        message = f"{benchmark.name} opens the libraries of {able_to}, not that of {stack}"
        return [error("--load dlopen", message, "leave it to --load preload")]
    if told.load_option not in able.loads:
        message = f"{benchmark.name} {able.release} has no {told.load_option}"
        advice = f"--load preload, or {benchmark.name} {told.load_since} or later"
        return [error("--load dlopen", message, advice)]
    return []
