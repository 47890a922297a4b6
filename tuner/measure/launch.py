"""How a stack is put under sockperf, beside its settings: preloaded or opened by sockperf itself, its rule file, its counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from tuner.errors import Finding, error
from tuner.measure.sockperf import Features
from tuner.stacks import counters

CONFIG_FILE: Final[Mapping[str, str]] = {"xlio": "XLIO_CONFIG_FILE", "vma": "VMA_CONFIG_FILE"}
"""The variable that names the rule file of a stack that reads one."""
_OPTION: Final[Mapping[str, str]] = {"xlio": "--load-xlio", "vma": "--load-vma"}
_RELEASE: Final[Mapping[str, str]] = {"xlio": "3.9", "vma": "3.7"}
# Both are equally long, so that the environments of both ends are.
_STATS: Final[Mapping[str, str]] = {"server": "server.stats", "client": "client.stats"}


class Load(StrEnum):
    """How the stack's library comes into the process: the loader preloads it, or sockperf opens it with dlopen."""

    PRELOAD = "preload"
    DLOPEN = "dlopen"


@dataclass(frozen=True, slots=True)
class Launch:
    """How the runs of a plan are launched; `conf` is the path of the rule file, None for the stack's own."""

    load: Load = Load.PRELOAD
    conf: str | None = None

    def preloads(self, libraries: Sequence[Path]) -> tuple[Path, ...]:
        """Return what the loader preloads of `libraries`, of which the stack's is the first."""
        return tuple(libraries[1:] if self.load is Load.DLOPEN else libraries)

    def arguments(self, stack: str, libraries: Sequence[Path]) -> tuple[str, ...]:
        """Return what sockperf is told besides its workload."""
        return (f"{_OPTION[stack]}={libraries[0].absolute()}",) if self.load is Load.DLOPEN else ()

    def variables(self, stack: str, settings: Mapping[str, str]) -> dict[str, str]:
        """Return `settings` with what the launch adds: the rule file, and a file for the counters where none is set."""
        added = {CONFIG_FILE[stack]: self.conf} if self.conf and stack in CONFIG_FILE else {}
        counted = {counters.STATS_FILE[stack]: _STATS["client"]} if stack in counters.STATS_FILE else {}
        return {**counted, **settings, **added}


def at(end: str, stack: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of one end, `server` or `client`: each writes its counters to a file of its own."""
    variable = counters.STATS_FILE.get(stack, "")
    ours = environment.get(variable) in _STATS.values()
    return {**environment, variable: _STATS[end]} if ours else dict(environment)


def wanted(stack: str) -> tuple[str, ...]:
    """Return the files that a run may leave in its folder and that are read."""
    return tuple(_STATS.values()) if stack in counters.STATS_FILE else ()


def evidence(stack: str, written: Mapping[str, str]) -> dict[str, Any]:
    """Return what the counters of a run say, as JSON-ready evidence; empty where no file was written."""
    read = {end: counters.read(written[name]) for end, name in _STATS.items() if name in written}
    found = [asdict(finding) for end, each in read.items() for finding in counters.findings(each, end, stack)]
    return {"counters": {end: dict(each.values) for end, each in read.items()}, "findings": found} if read else {}


def unsupported(load: Load, stack: str, able: Features) -> list[Finding]:
    """Return why sockperf cannot open the library of `stack` itself, nothing when it can or need not."""
    if load is Load.PRELOAD:
        return []
    option = _OPTION.get(stack)
    if option is None:
        message = f"sockperf opens the libraries of xlio and vma, not that of {stack}"
        return [error("--load dlopen", message, "leave it to --load preload")]
    if not {"xlio": able.load_xlio, "vma": able.load_vma}[stack]:
        version = ".".join(map(str, able.version))
        message = f"sockperf {version} has no {option}"
        return [error("--load dlopen", message, f"--load preload, or sockperf {_RELEASE[stack]} or later")]
    return []
