"""Guards: limits that a profile must keep beside its objective, such as `p99.9 < 1.1x` or `memory < 500MB`.

METRIC < N.Nx    at most so many times the baseline's value (METRIC > N.Nx where higher is better: the rate)
METRIC < VALUE   at most this value, with a unit

A profile is measured against a guard by its *excess* in each block: the natural logarithm of its value over the limit,
turned so that above 0 breaks the guard.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from tuner.errors import Finding, UsageError, did_you_mean, error
from tuner.judging import slo
from tuner.judging.metrics import HELD_RATE, reported
from tuner.runs.metric import Metric
from tuner.runs.recipe_text import TIME_UNITS
from tuner.runs.workload import Workload

_OF_TRAFFIC: Final = {
    **{name: metric.replace("_corrected", "") for name, metric in slo.METRICS.items()},
    "rate": "rate_mps",
}
_OF_ANY: Final = {"cpu": "cpu_s", "memory": "server_memory_mb"}
GUARDABLE: Final[Mapping[str, str]] = _OF_TRAFFIC | _OF_ANY
"""What may be guarded, and by which metric of a run; beside them stand a recipe's metrics under their own names."""
GUARD_EXAMPLE: Final = "p99.9 < 1.1x"
RELATIVE: Final = "x"

# By the unit of the metric: what may be written, and how many of the metric's units that is.
_UNITS: Final[Mapping[str, Mapping[str, float]]] = {
    "µs": slo.UNITS_US,
    "msg/s": {"msg/s": 1.0},
    "s": {"s": 1.0, "ms": 1e-3},
    "MB": {"MB": 1.0, "GB": 1e3},
}
_TOKEN: Final = re.compile(r"<=|>=|[<>=]|[^\s<>=]+")
_AMOUNT: Final = re.compile(r"(?P<number>-?[0-9]{1,12}(?:\.[0-9]{1,6})?)(?P<unit>[^\d\s]*)")
_PLAIN_UNIT: Final = re.compile(r"[^\d\s<>=]+")


@dataclass(frozen=True, slots=True)
class Guardable:
    """A metric that may be guarded: the units in which a limit may be written, the metric's own first, and how many of it each is."""

    metric: Metric
    units: Mapping[str, float] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Guard:
    """A limit of one metric; `relative` ones are multiples of the baseline's value, others have the metric's own `unit`.

    `is_floor` is whether it is a lower bound, because higher values of its metric are better.
    """

    name: str
    limit: float
    relative: bool
    metric: str
    own_unit: str
    is_floor: bool = False

    @property
    def unit(self) -> str:
        """The unit of its limit, as it is written."""
        return RELATIVE if self.relative else self.own_unit

    def excess(self, baseline: Mapping[str, float], profile: Mapping[str, float]) -> float | None:
        """Return by which log ratio a profile's metrics in a block are beyond the limit, None where one is missing."""
        reference = baseline.get(self.metric, 0.0) if self.relative else 1.0
        value = profile.get(self.metric, 0.0)
        if value <= 0.0 or reference <= 0.0:
            return None
        beyond = math.log(value / (reference * self.limit))
        return -beyond if self.is_floor else beyond

    def value(self, excess: float) -> float:
        """Return the value, in the unit of the limit, that has this excess."""
        return self.limit * math.exp(-excess if self.is_floor else excess)

    def __str__(self) -> str:
        digits = f"{self.limit:.9f}".rstrip("0").rstrip(".")
        return f"{self.name} {'>' if self.is_floor else '<'} {digits}{self.unit}"


def guardable(workloads: Sequence[Workload] = ()) -> dict[str, Guardable]:
    """Return what may be guarded in runs of these workloads, by the names that limits use."""
    known = reported(workloads or [Workload()])
    if not any(each.recipe for each in workloads):
        return {name: Guardable(known[metric], _units(known[metric].unit)) for name, metric in GUARDABLE.items()}
    ours = {name: Guardable(known[metric], _units(known[metric].unit)) for name, metric in _OF_ANY.items()}
    own = (metric for name, metric in known.items() if name not in {HELD_RATE, *_OF_ANY.values()})
    return {metric.name: Guardable(metric, _own_units(metric.unit)) for metric in own} | ours


def _units(unit: str) -> Mapping[str, float]:
    """Return the units in which a limit of a metric with this unit may be written, the metric's own first."""
    return dict(sorted(_UNITS[unit].items(), key=lambda each: each[1] != 1.0))


def _own_units(unit: str) -> Mapping[str, float]:
    """Return the same of a recipe's metric, whose unit may be left out."""
    times = (
        {name: float(f"{factor / TIME_UNITS[unit]:.12g}") for name, factor in TIME_UNITS.items()}
        if unit in TIME_UNITS
        else {}
    )
    named = {unit: 1.0} if _PLAIN_UNIT.fullmatch(unit) and unit.casefold() != RELATIVE else {}
    return {**named, "": 1.0, **{name: factor for name, factor in times.items() if name != unit}}


def parse(texts: Sequence[str], workloads: Sequence[Workload] = ()) -> tuple[Guard, ...]:
    """Return the guards of some texts, each of one limit or several joined by `and`; raise `UsageError` with all problems."""
    findings: list[Finding] = []
    known = guardable(workloads)
    clauses = [clause for text in texts for clause in re.split(r"\sand\s", text)]
    read = [_guard(clause, known, findings) for clause in clauses]
    found = tuple(guard for guard in read if guard is not None)
    findings += _repeated(found)
    if findings:
        raise UsageError(
            "a guard is not understood", findings=findings, advice=f"for example --guard {GUARD_EXAMPLE!r}"
        )
    return found


def _guard(text: str, known: Mapping[str, Guardable], findings: list[Finding]) -> Guard | None:
    """Return the guard of `METRIC < NUMBER UNIT`, the unit perhaps apart; what is wrong goes into the findings."""
    words, said = _TOKEN.findall(text), " ".join(text.split()) or "nothing"
    if len(words) not in {3, 4}:
        findings.append(error(said, "is not a guard", f"write METRIC < LIMIT, such as {GUARD_EXAMPLE} or p99.9 < 50us"))
        return None
    name, sign, amount = words[0].casefold(), words[1], "".join(words[2:])
    if name not in known:
        findings.append(error(said, f"unknown metric {name!r}", did_you_mean(name, known)))
        return None
    match = _AMOUNT.fullmatch(amount)
    wrong = [*_sign_problems(said, name, known[name].metric, sign), *_amount_problems(said, known[name], amount, match)]
    findings += wrong
    return None if wrong or match is None else _made(name, known[name], sign, match)


def _made(name: str, guarded: Guardable, sign: str, match: re.Match[str]) -> Guard:
    number, unit = float(match["number"]), match["unit"].casefold()
    units = {written.casefold(): times for written, times in guarded.units.items()}
    own_unit, floor = next(iter(guarded.units)), sign.startswith(">")
    relative = unit == RELATIVE
    return Guard(name, number if relative else number * units[unit], relative, guarded.metric.name, own_unit, floor)


def _sign_problems(said: str, name: str, metric: Metric, sign: str) -> Iterator[Finding]:
    if metric.higher_is_better is None:
        if sign not in {"<", "<=", ">", ">="}:
            yield error(said, f"{sign!r} is not a comparison", "write < or >")
        return
    right = ">" if metric.higher_is_better else "<"
    if sign not in {right, f"{right}="}:
        which = "higher is better, so that a guard is a lower" if right == ">" else "a guard is an upper"
        yield error(said, f"{sign!r} does not fit {name}: {which} bound", f"write {name} {right} …")


def _amount_problems(said: str, guarded: Guardable, amount: str, match: re.Match[str] | None) -> Iterator[Finding]:
    units = [RELATIVE, *guarded.units]
    known = {unit.casefold() for unit in units}
    if match is None:
        yield error(said, f"{amount!r} is not a limit", f"write for example 1.1x or 50{units[1]}")
    elif match["unit"].casefold() not in known:
        what = f"unknown unit {match['unit']!r}" if match["unit"] else "the limit has no unit"
        named = [unit for unit in units if unit]
        advice = did_you_mean(match["unit"], named) if match["unit"] else f"allowed: {', '.join(named)}"
        yield error(said, what, f"{advice}; {RELATIVE} is times the baseline's value")
    elif float(match["number"]) <= 0:
        yield error(said, "no value is 0 or less", "name a limit above 0")


def _repeated(guards: Sequence[Guard]) -> Iterator[Finding]:
    for one, other in combinations(guards, 2):
        if (one.name, one.relative) == (other.name, other.relative):
            yield error(str(other), f"{one.name} is guarded twice, also by {one}", "keep one of the two")
