"""What somebody asks of a session, before anything of it is looked up or checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tuner.profiles.profile import DEFAULT
from tuner.records import Kind
from tuner.runs.chosen import BENCHMARK
from tuner.runs.launch import Loading
from tuner.session.setup import policy
from tuner.session.setup.plan import Promise

UNLIMITED_S: Final = 1e9
"""The budget of a measurement, which ends with its runs."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is judged: on which stack, by which objective, under which workload."""

    stack: str | None = None
    """None for the stack of the profile, or the kernel where there is no profile."""
    objective: str | None = None
    """`latency`, `tail`, `throughput`, `balanced`, or a limit such as `max rate where p99 < 50us`. None for the one that
    the profile's name says, or `latency`."""
    workload: Mapping[str, object] = field(default_factory=dict)
    """Fields of `Workload` that replace those of the objective's own workload (`message_bytes`, `protocol`, …)."""
    seed: int = 0
    """Makes the order of runs and the proposals reproducible."""
    guards: Sequence[str] = ()
    """Limits that a profile must keep to be recommended, such as `p99.9 < 1.1x` (times the baseline's) or `memory < 500MB`."""


@dataclass(frozen=True, slots=True)
class Search:
    """How a better profile is looked for."""

    baseline: str = DEFAULT
    """The profile that everything is compared with."""
    space: str = ""
    """What is searched: `NAME, NAME=a|b, NAME=low..high`; empty for the whole space of the stack."""
    optimizer: str = "skopt"
    """`skopt`, `random`, `grid` or `optuna`."""
    warm_start: bool = False
    """Whether the search begins where earlier sessions like this one, in the same store, ended."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What the runs are made with."""

    program: str = BENCHMARK.name
    """The benchmark: its path, or its name on the host's search path."""
    lib: Path | None = None
    """The stack's library; None for the one that the loader finds."""
    preload: Sequence[Path] = ()
    """Further libraries, behind the stack's."""
    fast_start: bool = True
    """Whether the benchmark's own sleep before each test is left out."""
    load: Loading = Loading.PRELOAD
    """How the stack's library gets into the benchmark."""
    conf: Path | None = None
    """The file of offload rules for both ends; None for the stack's own."""
    os_sockets: bool = False
    """Whether sockets that the stack leaves to the operating system are measured all the same, and named so."""
    wait_for_calm_s: float = 0.0
    """How long blocks may be held back in all while the host is disturbed, in seconds; the budget does not run meanwhile."""
    wait_for_turn: bool = True
    """Whether to wait while another session measures on the host; otherwise it is refused."""
    server_profile: str | None = None
    """The profile that the server always runs with; None where both ends get what is measured."""
    stackname: Mapping[str, str] = field(default_factory=dict)
    """The variables that name the stack before the program's first socket, where a stack takes a name; none for no name."""


@dataclass(frozen=True, slots=True)
class Request:
    """One session as it is asked for."""

    kind: Kind
    profile: str | None = None
    """The start of a tuning, A of a comparison, the only profile of the other kinds: a name, `stack/name` or a file."""
    other: str = DEFAULT
    """B of a comparison; no other kind reads it."""
    budget_s: float = 60.0
    """The wall time of the whole session, in seconds."""
    open_ended: bool = False
    """Whether a tuning may take longer: as long as another minute is expected to bring something."""
    blocks: int = policy.MOST_BLOCKS
    """The most blocks of a confirmation, comparison or measurement."""
    until_decided: bool = False
    """Whether a comparison ends as soon as it is decided; `budget_s` is then the most that it may take."""
    promise: Promise | None = None
    """What `other` must still give over `profile`, where that is to be decided."""
    task: Task = Task()
    search: Search = Search()
    """Only tuning searches; minimising takes its baseline from here too."""
    setup: Setup = Setup()
