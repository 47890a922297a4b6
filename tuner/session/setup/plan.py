"""What one session was asked to do, complete enough to go on with it after an interruption."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from tuner.catalogue.room import Room
from tuner.errors import StoreError, UsageError
from tuner.hosts import cpus
from tuner.judging import guards
from tuner.judging.guards import Guard
from tuner.judging.objective import Objective, objective
from tuner.records import Kind
from tuner.runs import chosen, workload
from tuner.runs.benchmark import Benchmark
from tuner.runs.launch import Loading
from tuner.runs.workload import Workload


@dataclass(frozen=True, slots=True)
class Contender:
    """A profile that is measured: its name and its settings with everything it extends resolved."""

    profile: str
    settings: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"profile": self.profile, "settings": dict(self.settings)}


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of offload rules that both ends run under: where it is, and what it said when it was checked."""

    path: str
    text: str


class WhyLonger(StrEnum):
    """Why runs were made longer."""

    MESSAGES = "messages"
    """They differ by the finite number of their messages more than otherwise."""
    PERCENTILE = "percentile"
    """A percentile that the objective judges would not be observed often enough."""


@dataclass(frozen=True, slots=True, order=True)
class LongerRuns:
    """How long the calibration found that a workload's runs should last, and why."""

    duration_s: int
    """Whole seconds, as the benchmark takes them."""
    why: WhyLonger
    metric: str


@dataclass(frozen=True, slots=True)
class ClearLead:
    """A profile that the search found so good that few blocks will prove it."""

    profile: str
    ratio: float
    """The pessimistic view of how many times as good as the baseline it is."""
    blocks: int
    """About how many blocks will judge it."""
    block_runs: int = 3
    """The runs of such a block; of a plan that an earlier release made as here, like what follows."""
    choosing_runs: int = 0
    """The runs that choose among finalists, if these are more than the usual share of those that judge."""
    minimising_runs: int = 36
    """The runs that are kept for minimising."""
    search_share: float = 0.70
    """The share of the budget to which the search goes on at most."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The hosts of a session that is not on this machine alone, and what is started and preloaded on the server's."""

    server: str
    """What names the server's host, and the client's: `ssh://…`, or this machine. Whoever goes on names them again."""
    client: str
    program: str
    preloads: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        return {**asdict(self), "preloads": list(self.preloads)}


@dataclass(frozen=True, slots=True)
class PairPlan:
    """What is otherwise on one of many pairs of hosts than on the first."""

    name: str
    ends: Ends | None
    """Its hosts; None where both are this machine."""
    program: str
    preloads: tuple[str, ...]
    programs: Mapping[str, Mapping[str, str]]
    workloads: tuple[Workload, ...]
    """With the server's address and the CPUs of this pair."""
    kind: str = ""
    """The class of its hosts in words, by which exceptions are told; empty where that is not known."""

    @staticmethod
    def of(name: str, plan: Plan) -> PairPlan:
        """Return what a pair has of its own by the plan that would be carried out on it alone."""
        return PairPlan(name, plan.ends, plan.program, plan.preloads, plan.programs, plan.workloads)

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        return {
            "name": self.name,
            "ends": None if self.ends is None else self.ends.to_dict(),
            "program": self.program,
            "preloads": list(self.preloads),
            "programs": {end: dict(paths) for end, paths in self.programs.items()},
            "workloads": [each.to_dict() for each in self.workloads],
            "kind": self.kind,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> PairPlan:
        """Return what `to_dict` wrote; raise `KeyError`, `TypeError` or `ValueError` for anything else."""
        return PairPlan(
            str(data["name"]),
            _ends(data["ends"]),
            str(data["program"]),
            tuple(data["preloads"]),
            {end: dict(paths) for end, paths in data["programs"].items()},
            tuple(workload.from_dict(row) for row in data["workloads"]),
            str(data.get("kind", "")),
        )


@dataclass(frozen=True, slots=True)
class Promise:
    """What a profile must still give to be as good as it was."""

    ratio: float
    """How many times better than the baseline it was shown to be at least; 1 where it is held against another profile."""
    margin: float
    """The share of it that it may lack."""
    session: str | None = None
    """The session that showed it, None for another profile."""

    @property
    def at_least(self) -> float:
        """How many times better than the baseline it must be."""
        return self.ratio * (1.0 - self.margin)


@dataclass(frozen=True, slots=True)
class Plan:
    """One session: what is compared with what, under which workloads, how searched, and for how long."""

    kind: Kind
    stack: str
    preloads: tuple[str, ...]
    """The libraries put under every program, in the loader's order; the stack's own is the first."""
    program: str
    """The path of the benchmark, stored under its name; of a recipe that of its client's program."""
    objective: Objective
    workloads: tuple[Workload, ...]
    baseline: Contender
    known: tuple[Contender, ...]
    """Measured before the optimizer is asked. A comparison measures the first of them, and a minimising shortens it."""
    start: str | None
    """The name of the one that the search starts from."""
    fixed: Mapping[str, str]
    """The settings of `start`, which every candidate keeps where it searches nothing else."""
    space: str
    """What `--space` said, empty for the whole space of the stack."""
    optimizer: str
    seed: int
    budget_s: float
    """Wall time of the whole session; infinite where only `blocks` limit it."""
    blocks: int
    """The most blocks of a confirmation, comparison or measurement."""
    fast_start: bool
    """Whether the benchmark's own sleep before its test is left out."""
    warm_start: tuple[str, ...] | None = None
    """The earlier sessions whose outcomes the search is told as a prior, None when it was not asked for."""
    adaptable: bool = False
    """Whether the calibration may make runs longer, because nobody asked for a duration."""
    lengthened: tuple[LongerRuns, ...] = ()
    """How the calibration made them longer, one for each workload that it concerns."""
    clear_lead: ClearLead | None = None
    """Why few blocks judge and the rest of the budget minimises (`session/phases/clear_lead.py`), None where not."""
    load: Loading = Loading.PRELOAD
    conf: RuleFile | None = None
    """The rule file of both ends, None for the stack's own."""
    further: Mapping[str, str] = field(default_factory=dict)
    """Variables for preloaded libraries of ours."""
    release: str | None = None
    """The release of the stack's library, None where its banner does not say."""
    room: Room | None = None
    """The memory that the host had when the session began, None where it is not asked."""
    os_sockets: bool = False
    """Whether sockets that the stack leaves to the operating system are measured all the same."""
    fitted: tuple[str, ...] = ()
    """Profiles of this package that the release runs otherwise than they are written, each with what is different."""
    guards: tuple[Guard, ...] = ()
    """Limits that a profile must keep to be recommended."""
    wait_for_calm_s: float = 0.0
    """How long blocks may be held back in all while the host is disturbed, in seconds, beside the budget."""
    ends: Ends | None = None
    """The two hosts, None where both ends are on this machine; `program` and `preloads` are then the client's."""
    open_ended: bool = False
    """Whether `budget_s` becomes larger while another minute is expected to bring something, because nobody asked for a budget."""
    server_profile: Contender | None = None
    """What the server runs with, whatever is measured; None where both ends get the candidate."""
    programs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The paths of a recipe's programs, by the end and by their names in it."""
    until_decided: bool = False
    """Whether a comparison ends as soon as it is decided (`judging/sequential.py`)."""
    promise: Promise | None = None
    """What its second profile must still give, None where it is not checked for that."""
    pairs: tuple[PairPlan, ...] = ()
    """The pairs of hosts that measure at once, the first one as the plan says too; none where there is one pair."""

    @property
    def at_once(self) -> int:
        """How many blocks are measured at once."""
        return max(1, len(self.pairs))

    def of_pair(self, pair: PairPlan) -> Plan:
        """Return the plan as it would be carried out on one of its pairs alone."""
        return replace(
            self,
            pairs=(),
            ends=pair.ends,
            program=pair.program,
            preloads=pair.preloads,
            programs=pair.programs,
            workloads=pair.workloads,
        )

    @property
    def benchmark(self) -> Benchmark:
        """What measures its workloads."""
        return chosen.of(self.workloads[0])

    @property
    def server_cpus(self) -> tuple[int, ...]:
        """The CPUs of all servers, none where they are left to the kernel."""
        return _numbers(each.server_cpus for each in self.workloads)

    @property
    def client_cpus(self) -> tuple[int, ...]:
        """The CPUs of all clients, none where they are left to the kernel."""
        return _numbers(each.client_cpus for each in self.workloads)

    @property
    def measured_cpus(self) -> tuple[int, ...]:
        """The CPUs of all servers and clients, none where they are left to the kernel."""
        return tuple(sorted({*self.server_cpus, *self.client_cpus}))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values from which `from_dict` makes the same plan."""
        plain = {
            name: getattr(self, name)
            for name in self.__slots__
            if name not in {"clear_lead", "program", "programs", "pairs"}
        }
        return plain | {
            self.benchmark.name: self.program,
            **({"programs": {end: dict(paths) for end, paths in self.programs.items()}} if self.programs else {}),
            **({"pairs": [each.to_dict() for each in self.pairs]} if self.pairs else {}),
            "preloads": list(self.preloads),
            "objective": self.objective.name,
            "workloads": [each.to_dict() for each in self.workloads],
            "baseline": self.baseline.to_dict(),
            "known": [each.to_dict() for each in self.known],
            "fixed": dict(self.fixed),
            "further": dict(self.further),
            "warm_start": None if self.warm_start is None else list(self.warm_start),
            "lengthened": [asdict(each) for each in self.lengthened],
            # The name that its first release gave it.
            "obvious": None if self.clear_lead is None else asdict(self.clear_lead),
            "conf": None if self.conf is None else {"path": self.conf.path, "text": self.conf.text},
            "room": None if self.room is None else asdict(self.room),
            "fitted": list(self.fitted),
            "guards": list(map(str, self.guards)),
            "ends": None if self.ends is None else self.ends.to_dict(),
            "server_profile": None if self.server_profile is None else self.server_profile.to_dict(),
            "promise": None if self.promise is None else asdict(self.promise),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Plan:
        """Return the plan that `to_dict` wrote, in this release or an earlier one; raise `StoreError` for anything else."""
        try:
            return Plan(**_fields(data))
        except (KeyError, TypeError, ValueError, AttributeError, UsageError) as reason:
            raise StoreError(f"this release cannot read the session's plan: {_why(reason)}") from reason


def _ends(data: Mapping[str, Any] | None) -> Ends | None:
    return Ends(**{**data, "preloads": tuple(data["preloads"])}) if data else None


def _numbers(lists: Iterable[str]) -> tuple[int, ...]:
    return tuple(sorted({number for text in lists for number in cpus.parse(text) or ()}))


def _why(reason: Exception) -> str:
    if isinstance(reason, KeyError):
        return f"{reason.args[0]} is missing"
    findings = reason.findings if isinstance(reason, UsageError) else ()
    return "; ".join([str(reason), *map(str, findings)])


def _fields(data: Mapping[str, Any]) -> dict[str, Any]:
    workloads = tuple(workload.from_dict(row) for row in data["workloads"])
    goal = objective(data["objective"], workloads[0] if workloads else None)
    if len(data["workloads"]) != len(goal.workloads):
        raise ValueError(f"{goal.name} judges {len(goal.workloads)} workloads, and there are {len(data['workloads'])}")
    name = chosen.of(workloads[0]).name
    plain = {key: value for key, value in data.items() if key not in {"obvious", name}}
    return plain | {
        "program": data[name],
        "programs": {end: dict(paths) for end, paths in (data.get("programs") or {}).items()},
        "kind": Kind(data["kind"]),
        "preloads": tuple(data["preloads"]),
        "objective": goal,
        "workloads": workloads,
        "baseline": Contender(**data["baseline"]),
        "known": tuple(Contender(**row) for row in data["known"]),
        "warm_start": None if data.get("warm_start") is None else tuple(data["warm_start"]),
        "lengthened": _lengthened(data.get("lengthened") or ()),
        "clear_lead": _clear_lead(data.get("obvious")),
        "load": Loading(data.get("load", Loading.PRELOAD)),
        "conf": RuleFile(**data["conf"]) if data.get("conf") else None,
        "room": Room(**data["room"]) if data.get("room") else None,
        "fitted": tuple(data.get("fitted", ())),
        "guards": guards.parse(data.get("guards") or (), workloads),
        "ends": _ends(data.get("ends")),
        "pairs": tuple(PairPlan.from_dict(row) for row in data.get("pairs") or ()),
        "server_profile": Contender(**data["server_profile"]) if data.get("server_profile") else None,
        "promise": Promise(**data["promise"]) if data.get("promise") else None,
    }


# Until 0.1.0 these two were stored as the sentences that the user was told.
_SAID_LENGTH: Final = re.compile(
    r"runs of (?P<duration_s>\d+) s, (?:so that (?P<metric>\w+) is observed|because they differ)"
)
_SAID_LEAD: Final = re.compile(
    r"(?P<profile>.+) looks (?P<ratio>\S+) times as good or better: about (?P<blocks>\d+) blocks"
)


def _lengthened(stored: str | Sequence[Mapping[str, Any]]) -> tuple[LongerRuns, ...]:
    if isinstance(stored, str):
        return tuple(_said_length(match) for match in _SAID_LENGTH.finditer(stored))
    return tuple(LongerRuns(row["duration_s"], WhyLonger(row["why"]), row["metric"]) for row in stored)


def _said_length(match: re.Match[str]) -> LongerRuns:
    why = WhyLonger.PERCENTILE if match["metric"] else WhyLonger.MESSAGES
    return LongerRuns(int(match["duration_s"]), why, match["metric"] or "latency_p50_us")


def _clear_lead(stored: str | Mapping[str, Any] | None) -> ClearLead | None:
    if not stored:
        return None
    if not isinstance(stored, str):
        return ClearLead(**stored)
    match = _SAID_LEAD.match(stored)
    if match is None:
        raise ValueError(f"obvious: {stored!r}")
    return ClearLead(match["profile"], float(match["ratio"]), int(match["blocks"]))
