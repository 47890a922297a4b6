"""What one session was asked to do, complete enough to go on with it after an interruption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tuner.catalogue.memory import Room
from tuner.measure import workload
from tuner.measure.workload import Workload
from tuner.records import Kind


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


@dataclass(frozen=True, slots=True)
class Plan:
    """One session: what is compared with what, under which workloads, how searched, and for how long.

    `kind` is tune, compare (the baseline with the first of `known`), minimise (the first of `known`), measure (the
    baseline alone) or calibrate (the baseline against itself). `known` are measured before the optimizer is asked; `start` names the one the search starts from and
    `fixed` are its settings, which every candidate keeps where it searches nothing else. `blocks` limits those of a
    confirmation, comparison or measurement. `warm_start` are the earlier sessions whose outcomes the search is told as
    a prior, None when it was not asked for. `adaptable` plans may be given longer runs by the calibration, because nobody
    asked for a duration; `lengthened` says why they were. `obvious` says why few blocks judge and the rest of the budget
    minimises, empty where not (`session/phases/clear_lead.py`). `load` is a `measure.launch.Load`, `conf` the rule file of both ends.
    `further` are variables for preloaded libraries of ours; `release` is the library's, None where its banner does not say.
    `room` is the memory that the host had when the session began, None where it is not asked.
    """

    kind: Kind
    stack: str
    preloads: tuple[str, ...]
    sockperf: str
    objective: str
    workloads: tuple[Workload, ...]
    baseline: Contender
    known: tuple[Contender, ...]
    start: str | None
    fixed: Mapping[str, str]
    space: str
    optimizer: str
    seed: int
    budget_s: float
    blocks: int
    fast_start: bool
    warm_start: tuple[str, ...] | None = None
    adaptable: bool = False
    lengthened: str = ""
    obvious: str = ""
    load: str = "preload"
    conf: RuleFile | None = None
    further: Mapping[str, str] = field(default_factory=dict)
    release: str | None = None
    room: Room | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values from which `from_dict` makes the same plan."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return plain | {
            "preloads": list(self.preloads),
            "workloads": [each.to_dict() for each in self.workloads],
            "baseline": self.baseline.to_dict(),
            "known": [each.to_dict() for each in self.known],
            "fixed": dict(self.fixed),
            "further": dict(self.further),
            "warm_start": None if self.warm_start is None else list(self.warm_start),
            "conf": None if self.conf is None else {"path": self.conf.path, "text": self.conf.text},
            "room": None if self.room is None else asdict(self.room),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Plan:
        """Return the plan that `to_dict` wrote."""
        shaped = {
            "kind": Kind(data["kind"]),
            "preloads": tuple(data["preloads"]),
            "workloads": tuple(workload.from_dict(row) for row in data["workloads"]),
            "baseline": Contender(**data["baseline"]),
            "known": tuple(Contender(**row) for row in data["known"]),
            "warm_start": None if data.get("warm_start") is None else tuple(data["warm_start"]),
            "conf": RuleFile(**data["conf"]) if data.get("conf") else None,
            "room": Room(**data["room"]) if data.get("room") else None,
        }
        return Plan(**{**data, **shaped})
